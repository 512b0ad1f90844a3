"""`ccproxy logs|usage`: what the private proxies of earlier sessions wrote down."""

from __future__ import annotations

import re
import time
from collections import deque
from typing import TYPE_CHECKING

from claude_code_proxy.cli import output
from claude_code_proxy.cli.ccproxy.arguments import UsageError, take_options
from claude_code_proxy.cli.ccproxy.session_logs import KEPT, logs_of, older_part

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

_LINES = 200
_LOOK_EVERY = 0.5  # seconds
_NONE = "no session has had a private proxy so far; only these write a log"
_REQUEST = re.compile(
    r"(?P<day>\d{4}-\d\d-\d\d) \S+ INFO POST /\S* (?P<model>\S+) \S+ \S+ (?:ttft=\S+ )?"
    r"in=(?P<input>\d+) cached=(?P<cached>\d+) out=(?P<output>\d+) "
)


def logs(arguments: Sequence[str], env: Mapping[str, str]) -> int:
    """Print the end of the newest session's log, or which logs there are. Raises `UsageError`."""
    plain, options = take_options("logs", arguments, ("--list", "--follow", "-f"), ("-n",))
    count = options.get("-n", str(_LINES))
    if plain or not (count.isascii() and count.isdigit()):
        raise UsageError("logs takes --list, --follow and -n LINES; a background session: ccproxy -- logs ID")
    found = logs_of(env)
    if not found:
        output.note(_NONE)
        return output.OK
    if "--list" in options:
        for path in found:
            print(f"{path}  {path.stat().st_size} bytes")
        return output.OK
    newest = found[-1]
    output.note(f"{newest}:")
    with newest.open(encoding="utf-8", errors="replace") as file:
        for line in deque(file, maxlen=int(count)):
            print(line, end="")
        while "--follow" in options or "-f" in options:
            line = file.readline()
            if line:
                print(line, end="", flush=True)
            else:
                time.sleep(_LOOK_EVERY)
    return output.OK


def usage(arguments: Sequence[str], env: Mapping[str, str]) -> int:
    """Print the tokens of the sessions whose logs are kept, by day and model. Raises `UsageError`."""
    plain, options = take_options("usage", arguments, ("--json",))
    if plain:
        raise UsageError("usage takes --json only")
    totals: dict[tuple[str, str], list[int]] = {}
    for path in logs_of(env):
        for found in _requests(path):
            total = totals.setdefault((found["day"], found["model"]), [0, 0, 0, 0])
            for place, amount in enumerate(
                (1, *(int(found[name]) for name in ("input", "cached", "output")))
            ):
                total[place] += amount
    names = ("requests", "input_tokens", "cached_tokens", "output_tokens")
    if options:
        rows = [
            {"day": day, "model": model, **dict(zip(names, total, strict=True))}
            for (day, model), total in sorted(totals.items())
        ]
        output.document({"version": 1, "usage": rows})
        return output.OK
    if not totals:
        output.note(_NONE)
        return output.OK
    lines = [("DAY", "MODEL", "REQUESTS", "INPUT", "OF IT CACHED", "OUTPUT")]
    lines += [(day, model, *map(str, total)) for (day, model), total in sorted(totals.items())]  # type: ignore[misc]
    output.table(lines)
    output.note(f"tokens as the providers counted them, in the newest {KEPT} sessions with a private proxy")
    return output.OK


def _requests(path: Path) -> Iterator[re.Match[str]]:
    for part in (older_part(path), path):
        try:
            with part.open(encoding="utf-8", errors="replace") as file:
                yield from (found for line in file if (found := _REQUEST.match(line)))
        except FileNotFoundError:
            continue
