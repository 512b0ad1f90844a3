"""`ccproxy doctor`: what is wrong between Claude Code and a provider, and how to fix it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from claude_code_proxy.cli import output
from claude_code_proxy.cli.ccproxy import launch
from claude_code_proxy.cli.ccproxy.arguments import UsageError, take_options
from claude_code_proxy.cli.ccproxy.doctor.checks import FAIL, OK, Check
from claude_code_proxy.cli.ccproxy.doctor.local_checks import check_machine, check_session, failed_config
from claude_code_proxy.cli.ccproxy.doctor.provider_checks import Examination
from claude_code_proxy.cli.ccproxy.doctor.suggested_entry import Learned, keep, lines
from claude_code_proxy.config.cc_proxy_json.providers_file import choose, load_providers
from claude_code_proxy.config.problems import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

_SIGNS = {"ok": "ok  ", "warn": "warn", "fail": "FAIL", "skip": "skip"}
_COLOURS = {"ok": "32", "warn": "33", "fail": "31", "skip": "2"}


def run(arguments: Sequence[str], wanted: str | None, path: Path, env: Mapping[str, str]) -> int:
    """Check everything and say what was found; 1 when something failed. Raises `UsageError`."""
    plain, options = take_options("doctor", arguments, ("--json", "--offline", "--write"))
    if plain:
        raise UsageError(f"doctor takes options only, not {' '.join(plain)} (hint: doctor -P {plain[0]})")
    quiet = "--json" in options
    checks: list[Check] = []

    def found(check: Check) -> None:
        checks.append(check)
        if not quiet:
            _print(check, env)

    for check in check_machine(env):
        found(check)
    name, learned = _examine(wanted, path, env, found, offline="--offline" in options)
    if quiet:
        output.document(
            {
                "version": 1,
                "provider": name,
                "ok": all(check.state != FAIL for check in checks),
                "checks": [check._asdict() for check in checks],
                "learned": learned.values if learned else {},
            }
        )
    if learned and learned.values:
        if "--write" in options:
            output.note(keep(learned, env))
        elif not quiet:
            output.note("learned (keep it with --write, or put it into models.yaml):\n" + lines(learned))
    return output.FAILURE if any(check.state == FAIL for check in checks) else output.OK


def _examine(
    wanted: str | None,
    path: Path,
    env: Mapping[str, str],
    found: Callable[[Check], None],
    *,
    offline: bool,
) -> tuple[str | None, Learned | None]:
    """The checks of one provider, told to `found`; its name and what was learned."""
    try:
        providers = load_providers(path)
        chosen = choose(providers, wanted, path)
        ready = launch.prepare(chosen, providers, path, env)
    except ConfigError as error:
        for check in failed_config(error):
            found(check)
        return wanted, None
    found(Check("file", OK, f"{path}: {chosen.name} is chosen of {len(providers)}"))
    for check in check_session(ready, env):
        found(check)
    if offline:
        return chosen.name, None
    with launch.running(ready, path, env) as changes:
        examination = Examination(changes, chosen)
        for check in examination.run():
            found(check)
    return chosen.name, examination.learned


def _print(check: Check, env: Mapping[str, str]) -> None:
    sign = _SIGNS[check.state]
    if sys.stdout.isatty() and not env.get("NO_COLOR") and env.get("TERM") != "dumb":
        sign = f"\x1b[{_COLOURS[check.state]}m{sign}\x1b[0m"
    print(f"{sign}  {check.name}: {check.detail}", flush=True)
    if check.fix:
        print(f"      fix: {check.fix}", flush=True)
