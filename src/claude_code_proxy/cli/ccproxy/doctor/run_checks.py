"""`ccproxy doctor`: what is wrong between Claude Code and a provider, and how to fix it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from urllib.parse import urlsplit

from claude_code_proxy.cli import output
from claude_code_proxy.cli.ccproxy import launch
from claude_code_proxy.cli.ccproxy.arguments import Command, UsageError
from claude_code_proxy.cli.ccproxy.doctor.checks import FAIL, OK, SKIP, WARN, Check
from claude_code_proxy.cli.ccproxy.doctor.local_checks import check_machine, check_session, failed_config
from claude_code_proxy.cli.ccproxy.doctor.messages_client import LIMIT
from claude_code_proxy.cli.ccproxy.doctor.provider_checks import Examination, Plan
from claude_code_proxy.cli.ccproxy.doctor.suggested_entry import Learned, keep, lines
from claude_code_proxy.cli.ccproxy.published_models import NoListError, models_of
from claude_code_proxy.config.cc_proxy_json.providers_file import Provider, choose, load_providers
from claude_code_proxy.config.models_yaml.models_file import load_models
from claude_code_proxy.config.problems import ConfigError
from claude_code_proxy.config.settings import ServerSettings
from claude_code_proxy.core.hosts import is_private

_MOST_SECONDS = 3600
_SIGNS = {"ok": "ok  ", "warn": "warn", "fail": "FAIL", "skip": "skip"}
_COLOURS = {"ok": "32", "warn": "33", "fail": "31", "skip": "2"}


def run(command: Command) -> int:
    """Check everything and say what was found; 1 when something failed. Raises `UsageError`."""
    env = command.env
    plain, options = command.take(("--json", "--offline", "--write"), ("--timeout",))
    if plain:
        raise UsageError(f"doctor takes options only, not {' '.join(plain)} (hint: doctor -P {plain[0]})")
    quiet = "--json" in options
    checks: list[Check] = []

    def found(check: Check) -> None:
        checks.append(check)
        if not quiet and check.state != SKIP:
            _print(check, env)

    seconds = _seconds(options.get("--timeout"))
    for check in check_machine(env):
        found(check)
    name, learned = _examine(command, found, seconds=seconds, offline="--offline" in options)
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
    if not quiet:
        _summarize(checks, name)
    return output.FAILURE if any(check.state == FAIL for check in checks) else output.OK


def _seconds(text: str | None) -> float:
    try:
        seconds = float(text or LIMIT)
    except ValueError:
        seconds = 0
    if not 0 < seconds < _MOST_SECONDS:
        raise UsageError("doctor: --timeout takes seconds, as 60")
    return seconds


def _summarize(checks: Sequence[Check], name: str | None) -> None:
    """One line: how it went, and the next command."""
    counted = {state: sum(check.state == state for check in checks) for state in (FAIL, WARN, SKIP)}
    worst = next((check for check in checks if check.state == FAIL), None)
    start = f"ccproxy -P {name}" if name else "ccproxy"
    if worst is None:
        warnings = f", {counted[WARN]} to look at" if counted[WARN] else ""
        print(f"ready{warnings}. next: {start}")
        return
    skipped = f"; {counted[SKIP]} more steps need it first" if counted[SKIP] else ""
    print(f"{counted[FAIL]} failed{skipped}. first: {worst.name}: {worst.fix or worst.detail}")


def _examine(
    command: Command, found: Callable[[Check], None], *, seconds: float, offline: bool
) -> tuple[str | None, Learned | None]:
    """The checks of one provider, told to `found`; its name and what was learned."""
    path, env = command.path, command.env
    try:
        providers = load_providers(path)
        chosen = choose(providers, command.provider, path)
        ready = launch.prepare(chosen, providers, path, env)
    except ConfigError as error:
        for check in failed_config(error):
            found(check)
        return command.provider, None
    found(Check("file", OK, f"{path}: {chosen.name} is chosen of {len(providers)}"))
    for check in check_session(ready, env, offline=offline):
        found(check)
    if offline:
        return chosen.name, None
    _published_window(ready, chosen, env, found)
    plan = _plan(ready, chosen, env)._replace(seconds=seconds)
    with launch.running(_without_fallback(ready), env) as changes:
        examination = Examination(changes, plan, _begins)
        for check in examination.run():
            _begins("")
            found(check)
    return chosen.name, examination.learned


def _plan(ready: launch.Launch, chosen: Provider, env: Mapping[str, str]) -> Plan:
    """What to ask of the session, beside its main model."""
    session = ready.route.session
    meant = session.provider
    named = [
        ("small_model", meant.small_model),
        *(("tier", model) for model in meant.tiers.values()),
        ("subagent", meant.subagent_model),
        ("safety_model", meant.safety_model or meant.classifier_model),
        *(("fallback", model) for model in session.fallback),
        *((f"routes.{rule.kind}", rule.to) for rule in session.routes),
    ]
    others = {model: role for role, model in named if model and model != meant.model}
    window = ready.changes.optional.get("CLAUDE_CODE_MAX_CONTEXT_TOKENS")
    is_local = is_private(urlsplit(chosen.base_url).hostname or "")
    return Plan(
        chosen,
        [(role, model) for model, role in others.items()],
        _expected(ready, env),
        asks_room=is_local or window is None,
    )


def _published_window(
    ready: launch.Launch, chosen: Provider, env: Mapping[str, str], found: Callable[[Check], None]
) -> None:
    """Tell the window that the provider's list has, where the session does not know it."""
    if "CLAUDE_CODE_MAX_CONTEXT_TOKENS" in ready.changes.optional:
        return
    try:
        listed = models_of(chosen, ready.credentials[chosen.name], env)
    except NoListError:
        return
    for model in listed:
        if model.id == chosen.model and model.window:
            fix = f'write "context": {model.window} into the entry: ccproxy edit'
            found(Check("window", WARN, f"{chosen.name}'s list says {model.window} tokens", fix))


def _expected(ready: launch.Launch, env: Mapping[str, str]) -> str:
    """The upstream's name of the main model; "" where only the proxy that runs knows it."""
    model = ready.route.session.models[0]
    if ready.route.makes_models:
        return model.name
    try:
        entry = load_models(ServerSettings.load({}, env).models).resolve(model.model_id)
    except ConfigError:
        return ""
    return entry.model_name if entry is not None and ready.route.is_ours else ""


def _without_fallback(ready: launch.Launch) -> launch.Launch:
    """The session with each model answering for itself: a healthy fallback hides one that is dead."""
    moves = ("fallback", "routes")
    job = ready.route.job
    if job is None or "entries" not in job:
        return ready
    entries = [{key: value for key, value in entry.items() if key not in moves} for entry in job["entries"]]
    return replace(ready, route=replace(ready.route, job={**job, "entries": entries}))


def _begins(name: str) -> None:
    """Show at a terminal what is being asked, on a line that the result replaces."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K      {name} ..." if name else "\r\x1b[K", end="", file=sys.stderr, flush=True)


def _print(check: Check, env: Mapping[str, str]) -> None:
    sign = _SIGNS[check.state]
    if sys.stdout.isatty() and not env.get("NO_COLOR") and env.get("TERM") != "dumb":
        sign = f"\x1b[{_COLOURS[check.state]}m{sign}\x1b[0m"
    print(f"{sign}  {check.name}: {check.detail}", flush=True)
    if check.fix:
        print(f"      fix: {check.fix}", flush=True)
