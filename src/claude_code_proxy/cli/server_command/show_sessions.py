"""`claude-code-proxy sessions` and `cache-report`: what sessions asked, and why prompts were read again."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from claude_code_proxy.cli import output
from claude_code_proxy.cli.server_command.running_server import NoAnswerError, ask
from claude_code_proxy.core import wire
from claude_code_proxy.core.deltas import Usage
from claude_code_proxy.core.prompt_cache.cache_proof import CacheProof
from claude_code_proxy.server.capture.replay import read_capture
from claude_code_proxy.server.records.exchange_record import record_from
from claude_code_proxy.server.records.sessions import request_line

_SHORT = 8  # characters of a session's id that tell it from others, nearly always


def sessions(url: str, *, as_json: bool) -> int:
    """Print the sessions of the server at `url`; 1 where there is no server."""
    try:
        found = ask(url, "/v1/sessions", "sessions")
    except NoAnswerError as error:
        output.error(error)
        return output.FAILURE
    if as_json:
        output.document({"version": 1, "url": url, **found})
        return output.OK
    if not found["sessions"]:
        output.note(f"the server at {url} has had no session so far")
        return output.OK
    short = {one["session"][:_SHORT] for one in found["sessions"]}
    rows = [("SESSION", "LAST", "REQUESTS", "PROMPTS", "CACHED", "READ AGAIN", "OUTPUT", "MODELS")]
    rows += [
        (
            one["session"] if len(found["sessions"]) != len(short) else one["session"][:_SHORT],
            _ago(one["ended"]),
            str(one["requests"]),
            f"{one['prompt_tokens']:,}",
            "-" if one["hit_ratio"] is None else f"{one['hit_ratio']:.0%}",
            f"{one['read_again_tokens']:,}",
            f"{one['output_tokens']:,}",
            ", ".join(one["models"]),
        )
        for one in found["sessions"]
    ]
    output.table(rows)
    return output.OK


def cache_report(source: str, url: str, *, as_json: bool) -> int:
    """Explain each request of a session: of a capture, a folder of them, or the running server's.

    Returns 1 where nothing is known of it. Raises `ConfigError` for a file that is no capture.
    """
    path = Path(source).expanduser()
    if not path.exists() and ("/" in source or source.endswith(".json")):
        output.error(f"{source}: no such file")
        return output.FAILURE
    if path.exists():
        lines = _of_captures(path)
    else:
        try:
            lines = ask(url, f"/v1/sessions?id={quote(source)}", "requests")["requests"]
        except NoAnswerError as error:
            output.error(error)
            return output.FAILURE
    if not lines:
        output.error(f"{source}: neither a capture nor a session of the server at {url}")
        return output.FAILURE
    if as_json:
        output.document({"version": 1, "requests": lines})
        return output.OK
    for line in lines:
        share = line["cached_tokens"] / line["prompt_tokens"] if line["prompt_tokens"] else 0.0
        told = f"{share:>4.0%} of {line['prompt_tokens']:>9,} cached"
        who = " ".join(word for word in (line["model"], line["class"], line["agent"]) if word)
        at = time.strftime("%H:%M:%S", time.localtime(line["ended"]))
        print(f"{at} {told}  {who}  {line['loss']}".rstrip())
    again = sum(line["again"] for line in lines)
    print(f"{len(lines)} requests, {again:,} tokens read again")
    return output.OK


def _of_captures(path: Path) -> list[dict[str, Any]]:
    files: Iterable[Path] = sorted(path.glob("*.json")) if path.is_dir() else [path]
    proof = CacheProof()
    lines = []
    for capture in map(read_capture, files):
        record = record_from(capture["record"])
        body = capture["request"]["body"]
        if record.usage is not None and isinstance(body, dict):
            who = hash((record.session_id, record.agent_id, record.request_class))
            loss = proof.look(who, wire.fields(wire.dumps(body)) or {}, Usage(*record.usage))
            record = replace(record, cache_loss=loss)
        lines.append(request_line(record))
    return lines


def _ago(ended: float) -> str:
    seconds = max(time.time() - ended, 0)
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit} ago"
    return f"{seconds:.0f} s ago"
