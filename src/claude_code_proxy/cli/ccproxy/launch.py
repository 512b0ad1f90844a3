"""Starting Claude Code: the environment, the private proxy where one is needed, and then `exec`.

This process becomes Claude Code, so terminal, signals, job control and exit code are Claude Code's own.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from claude_code_proxy.cli import output
from claude_code_proxy.cli.ccproxy import local_servers, private_proxy, statusline
from claude_code_proxy.cli.ccproxy.keys import credential_of, refuse_open_file
from claude_code_proxy.cli.ccproxy.memory_guard import refuse_readers
from claude_code_proxy.cli.ccproxy.published_windows import with_published_windows
from claude_code_proxy.cli.ccproxy.route import Route, find_route
from claude_code_proxy.config import paths
from claude_code_proxy.config.cc_proxy_json.key_sources import KeySource
from claude_code_proxy.config.cc_proxy_json.providers_file import SKIP_PREFLIGHT, Provider
from claude_code_proxy.config.cc_proxy_json.session_plan import plan_session
from claude_code_proxy.config.claude_code.environment import (
    SECRETS,
    SMALL_WINDOW,
    Changes,
    Target,
    apply_changes,
    fights,
    is_loopback,
    is_nested,
    plan_changes,
)
from claude_code_proxy.config.claude_code.model_picker import picker_settings
from claude_code_proxy.config.claude_code.settings_files import (
    STATUS_LINE,
    Setting,
    managed_conflicts,
    overrides,
    own_helper,
    read_settings,
    settings_argument,
)
from claude_code_proxy.config.problems import ConfigError, Problem
from claude_code_proxy.credentials.factory import VARIABLES
from claude_code_proxy.credentials.source import Credential

INSTALL = "claude is not installed (hint: curl -fsSL https://claude.ai/install.sh | bash)"
NOT_ON_WINDOWS = """\
ccproxy starts Claude Code on Linux, on macOS and in WSL
on Windows itself: claude-code-proxy serve, and claude with the variables that it names"""
HIDDEN = "(hidden)"
FREE_PORT = "http://127.0.0.1:FREE-PORT"
"""Stands where a private proxy's address will be."""


@dataclass(frozen=True, slots=True)
class Launch:
    """A session that is ready to start."""

    route: Route
    changes: Changes
    settings: Mapping[str, object]
    """For `--settings`."""
    credentials: Mapping[str, Credential]
    """By provider name."""
    keys: Mapping[str, tuple[KeySource, Credential]]
    """Those of a private proxy, by the address that each is for."""
    hidden: tuple[str, ...] = ()
    """The variables that hold keys of the file, where a private proxy has them."""
    token: str = HIDDEN
    """What a private proxy takes in place of a key."""
    helper: Setting | None = None
    """The `apiKeyHelper` that tells Claude Code the key, where it has to know it."""


def prepare(
    chosen: Provider,
    providers: Sequence[Provider],
    path: Path,
    env: Mapping[str, str],
    *,
    with_keys: bool = True,
    direct: bool = False,
) -> Launch:
    """Work out the session on `chosen`; `providers` are all of the file `path`. Raises `ConfigError`.

    Runs the commands that tell keys, but for `with_keys` False, which leaves `HIDDEN` in their places. Asks a
    loopback address who is there, and providers for windows that nothing else knows; starts nothing. `direct`
    is as for `find_route`.
    """
    session = plan_session(chosen, providers, path)
    refuse_open_file(path, providers)
    route = _with_loaded_window(find_route(session, path, env, direct=direct))
    refuse_readers()
    found = read_settings(env, Path.cwd())
    helper = own_helper(found, chosen) if route.job is None else None
    credentials = {
        provider.name: _credential(provider, path, env, helper) if with_keys or helper else Credential(HIDDEN)
        for provider in session.providers
    }
    route = with_published_windows(route, credentials, env, asks=with_keys)
    ready = Launch(route, Changes({}, {}, ()), {}, credentials, {})
    if route.job is not None:
        ready = replace(
            ready,
            keys=_by_address(route, credentials, path),
            hidden=_hidden(providers),
            token=_new_token() if with_keys else HIDDEN,
        )
    changes = _changes(ready, env, route.base_url or FREE_PORT)
    settings: dict[str, object] = dict(overrides(found, changes))
    if chosen.skips_preflight:
        settings[SKIP_PREFLIGHT] = True
    return replace(ready, changes=changes, settings=settings, helper=helper)


def _credential(provider: Provider, path: Path, env: Mapping[str, str], helper: Setting | None) -> Credential:
    """What `provider` is asked with; no token where Claude Code's own `helper` tells it."""
    return Credential("") if helper is not None else credential_of(provider, path, env)


def _new_token() -> str:
    """As `secrets` makes one, whose import would cost some of the time in which a session starts."""
    return urlsafe_b64encode(os.urandom(32)).decode().rstrip("=")


def _with_loaded_window(route: Route) -> Route:
    """The route with what a local server says of the main model's window, where nothing else knows it."""
    own = route.session.provider
    if own.context or route.limits.context or (route.is_ours and not route.makes_models):
        return route
    window = local_servers.loaded_window(own)
    if window is None:
        return route
    rows = tuple(row._replace(context=window) if row.model_id == own.model else row for row in route.rows)
    return replace(route, limits=route.limits._replace(context=window), rows=rows)


def warn(launch: Launch, env: Mapping[str, str]) -> None:
    """Say what the user should know before the session."""
    for text in launch.route.warnings:
        output.warning(text)
    provider = launch.route.session.provider
    context = int(launch.changes.optional.get("CLAUDE_CODE_MAX_CONTEXT_TOKENS", SMALL_WINDOW))
    if context < SMALL_WINDOW:
        output.warning(
            f"{provider.model} has a window of {context} tokens; Claude Code works badly below {SMALL_WINDOW}"
        )
    for problem in managed_conflicts(read_settings(env, Path.cwd()), launch.changes):
        output.warning(problem)
    if is_nested(env):
        output.note(f"note: a session on {provider.name} inside one on {env['CCPROXY_SESSION']}")


def run(launch: Launch, rest: Sequence[str], env: Mapping[str, str]) -> int:
    """Become Claude Code with the arguments `rest`; returns an exit code only when that fails."""
    if sys.platform == "win32":
        output.error(NOT_ON_WINDOWS)
        return output.FAILURE
    warn(launch, env)
    claude = find_claude(env)
    if claude is None:
        output.error(INSTALL)
        return output.NOT_FOUND
    route = launch.route
    if not _servers_run(route):
        return output.FAILURE
    child: subprocess.Popen[bytes] | None = None
    changes = launch.changes
    if route.job is not None:
        try:
            listener = _listen(route)
        except private_proxy.PortTakenError as error:
            output.error(error)
            return output.FAILURE
        child = _start(listener, launch, env)
        changes = _changes(launch, env, private_proxy.url_of(listener))
    settings = _rebased(launch, changes) | picker(launch, rest) | status_line(launch, changes, rest, env)
    arguments = [*session_settings(launch.settings, rest, settings), *rest]
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it, and exec would hand that on
    try:
        os.execve(claude, ["claude", *arguments], apply_changes(changes, env))  # noqa: S606
    except OSError as error:
        if child is not None:
            child.terminate()
            child.wait()
        output.error(f"{claude}: cannot be run: {error.strerror}")
        return output.NOT_EXECUTABLE


def _servers_run(route: Route) -> bool:
    """Whether the local servers that the session needs are there; says what is missing.

    One that is not needed at first, because there is a fallback or it is for other models, may come later.
    """
    if route.is_ours and not route.makes_models:
        return True  # what runs behind a proxy is that proxy's own matter
    own = route.session.provider
    for provider in route.session.providers:
        absent = local_servers.not_running(provider)
        if absent and provider is own and not route.session.fallback:
            output.error(absent)
            return False
        if absent:
            output.warning(absent)
        elif lacking := local_servers.lacks_model(provider):
            output.warning(lacking)
    return True


@contextmanager
def running(launch: Launch, env: Mapping[str, str]) -> Iterator[Changes]:
    """What a client of the session needs, while its private proxy runs. Raises `ConfigError`."""
    route = launch.route
    if route.job is None:
        yield launch.changes
        return
    try:
        listener = _listen(route)
    except private_proxy.PortTakenError as error:
        raise ConfigError(str(error)) from error
    with listener:
        child = _start(listener, launch, env)
        url = private_proxy.url_of(listener)
    try:
        yield _changes(launch, env, url)
    finally:
        child.terminate()
        child.wait()


def find_claude(env: Mapping[str, str]) -> str | None:
    """The Claude Code binary: on the PATH, else where its installers put it; None when it is nowhere."""
    found = shutil.which("claude", path=env.get("PATH", os.defpath))
    if found:
        return found
    home = paths.home(env)
    for place in (home / ".local" / "bin", home / ".claude" / "local"):
        found = shutil.which("claude", path=str(place))
        if found:
            return found
    return None


def show(launch: Launch, rest: Sequence[str], env: Mapping[str, str]) -> None:
    """Print what would be set and run, without the keys."""
    import shlex

    warn(launch, env)
    for name in launch.changes.removed:
        print(f"unset {name}")
    for name, value in shown_variables(launch.changes).items():
        print(f"export {name}={value if value == HIDDEN else shlex.quote(value)}")
    for provider in launch.route.session.providers:
        if provider.key.kind == "env" and not env.get(provider.key.value):
            print(f"# {provider.name}: {provider.key.value} is not set")
    if launch.helper is not None:
        print(f"# the key comes from the apiKeyHelper of {launch.helper.path}")
    if launch.route.job is not None:
        print(f"# a private proxy at {launch.route.base_url or FREE_PORT}, for this session only")
    claude = find_claude(env)
    shown = picker(launch, rest) | status_line(launch, launch.changes, rest, env)
    arguments = session_settings(launch.settings, rest, {**launch.settings, **shown})
    print(shlex.join([claude or "claude", *arguments, *rest]))
    if claude is None:
        output.warning(INSTALL)


def picker(launch: Launch, rest: Sequence[str]) -> dict[str, object]:
    """The settings of `/model`, for somebody at a terminal."""
    return picker_settings(launch.route.rows) if _is_seen(rest) else {}


def status_line(
    launch: Launch, changes: Changes, rest: Sequence[str], env: Mapping[str, str]
) -> dict[str, object]:
    """The settings of the status line, for somebody at a terminal who has none, where a proxy can tell it."""
    route, url = launch.route, changes.required["ANTHROPIC_BASE_URL"]
    if not _is_seen(rest) or (route.job is None and not (route.is_ours and is_loopback(url))):
        return {}
    if any(setting.name == STATUS_LINE for setting in read_settings(env, Path.cwd())):
        return {}
    return statusline.setting(url)


def _is_seen(rest: Sequence[str]) -> bool:
    """Whether the session has a screen."""
    return sys.stdin.isatty() and not any(argument in ("-p", "--print") for argument in rest)


def shown_variables(changes: Changes, *, with_secrets: bool = False) -> dict[str, str]:
    """The variables of a session by name, each secret one hidden unless it is asked for."""
    variables = sorted((changes.required | changes.optional).items())
    return {name: HIDDEN if name in SECRETS and not with_secrets else value for name, value in variables}


def session_settings(
    needed: Mapping[str, object], rest: Sequence[str], settings: Mapping[str, object]
) -> list[str]:
    """The `--settings` argument, unless the user gives one."""
    is_given = any(argument.split("=")[0] == "--settings" for argument in rest)
    if is_given and not needed:
        return []  # the rows of `/model` are no reason for a word
    if is_given:
        variables = needed.get("env")
        names = [
            *(variables if isinstance(variables, dict) else ()),
            *(name for name in needed if name != "env"),
        ]
        output.warning(
            f"a settings file of Claude Code sets {', '.join(names)}; your own --settings is left as it is"
        )
        return []
    return settings_argument(settings)


def _rebased(launch: Launch, changes: Changes) -> dict[str, object]:
    """The session's settings with the values that are known once the proxy has its port."""
    settings = dict(launch.settings)
    variables = settings.get("env")
    if isinstance(variables, dict):
        settings["env"] = {name: changes.required.get(name, value) for name, value in variables.items()}
    return settings


def _changes(launch: Launch, env: Mapping[str, str], base_url: str) -> Changes:
    route = launch.route
    own = route.session.provider
    key = launch.credentials[own.name].token if route.job is None else launch.token
    target = Target(base_url, key, route.is_ours, launch.hidden)
    return plan_changes(own, target, env, route.limits)


def _by_address(
    route: Route, credentials: Mapping[str, Credential], path: Path
) -> dict[str, tuple[KeySource, Credential]]:
    """Each key by the address that it is for. Raises `ConfigError` where two would be for the same."""
    providers = {provider.name: provider for provider in route.session.providers}
    found: dict[str, tuple[KeySource, Credential]] = {}
    for api_base, name in route.addresses:
        owner = providers[name]
        credential = credentials[name]
        source, first = found.setdefault(api_base, (owner.key, credential))
        if source != owner.key and first.token != credential.token:
            what = f"{name}: another provider of this session has the same base_url and another key"
            hint = "use one key for both, or a base_url that differs in a slash at its end"
            raise ConfigError.of([Problem(path, owner.line, what, hint)])
    return found


def _hidden(providers: Sequence[Provider]) -> tuple[str, ...]:
    """The variables in which the keys of the file are."""
    found: list[str] = []
    for provider in providers:
        source = provider.key
        found += [source.value] if source.kind == "env" else VARIABLES.get(source.kind, ())
    return tuple(dict.fromkeys(found))


def _start(listener: socket.socket, launch: Launch, env: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start the private proxy: the keys go through its pipe.

    Through its environment, which nobody else can read, goes only what a cloud's login is renewed with.
    """
    assert launch.route.job is not None
    renewing = {name for source, _ in launch.keys.values() for name in VARIABLES.get(source.kind, ())}
    gone = set(launch.hidden) - renewing
    kept = {name: value for name, value in env.items() if name not in gone and not fights(name)}
    job = {**launch.route.job, **private_proxy.keys_job(launch.token, launch.keys)}
    return private_proxy.start(listener, job, kept)


def _listen(route: Route) -> socket.socket:
    if not route.base_url:
        return private_proxy.listen()
    parts = urlsplit(route.base_url)
    return private_proxy.listen(parts.hostname or private_proxy.LOOPBACK, parts.port or 80)
