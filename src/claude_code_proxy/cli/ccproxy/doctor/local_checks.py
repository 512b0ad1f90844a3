"""The checks of `ccproxy doctor` that ask no provider: claude, files, addresses, settings, proxies."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from claude_code_proxy.cli.ccproxy import local_servers
from claude_code_proxy.cli.ccproxy.doctor.checks import FAIL, OK, WARN, Check
from claude_code_proxy.cli.ccproxy.doctor.credential_checks import check_credential
from claude_code_proxy.cli.ccproxy.launch import Launch, find_claude
from claude_code_proxy.config import urls
from claude_code_proxy.config.claude_code.environment import SMALL_WINDOW, is_nested
from claude_code_proxy.config.claude_code.settings_files import (
    MODEL,
    managed_conflicts,
    overrides,
    read_settings,
)
from claude_code_proxy.config.models_yaml.models_file import load_models
from claude_code_proxy.config.problems import ConfigError
from claude_code_proxy.config.settings import ServerSettings

_OLDEST = (2, 1, 197)
"""The oldest version of Claude Code that this project is tested with."""
_ALIASES = ("default", "opus", "sonnet", "haiku", "fable", "opusplan", "best")
_VERSION_LIMIT = 20.0  # seconds for `claude --version`
_PROXIES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")


def check_machine(env: Mapping[str, str]) -> Iterator[Check]:
    """Claude Code, models.yaml, the company's proxy."""
    yield _claude(env)
    yield _models_file(env)
    yield from _proxies(env)


def failed_config(error: ConfigError) -> Iterator[Check]:
    """The problems of cc-proxy.json, or of a key, as checks."""
    for problem in error.problems:
        place = f"{problem.path}:{problem.line}" if problem.line else str(problem.path)
        yield Check("file", FAIL, f"{place}: {problem.what}", problem.hint)
    if not error.problems:
        yield Check("file", FAIL, str(error))


def check_session(launch: Launch, env: Mapping[str, str], *, offline: bool) -> Iterator[Check]:
    """Addresses, keys, the way to the provider, the window, Claude Code's own settings.

    With `offline` nobody but local servers is asked.
    """
    route = launch.route
    for provider in route.session.providers:
        parts = urlsplit(provider.base_url)
        if urls.is_exposed(parts):
            fix = "use https://"
            yield Check("address", WARN, f"{provider.name}: plain http sends the key in the clear", fix)
        else:
            yield Check("address", OK, f"{provider.name}: {provider.base_url}")
        absent = local_servers.not_running(provider)
        if absent:
            what, _, start = absent.rpartition(": ")
            yield Check("server", FAIL, f"{provider.name}: {what}", start)
        elif lacking := local_servers.lacks_model(provider):
            yield Check("server", FAIL, f"{provider.name}: {lacking}", "ccproxy edit, or load that model")
        if launch.helper is not None:
            where = f"{launch.helper.path}:{launch.helper.line}"
            yield Check("key", OK, f"{provider.name}: Claude Code's apiKeyHelper tells it, {where}")
        else:
            yield check_credential(provider, launch.credentials[provider.name], env, offline=offline)
    for text in route.warnings:
        yield Check("models", WARN, text)
    how = (
        "a private proxy for this session"
        if route.job is not None
        else f"the proxy that runs at {route.base_url}"
        if route.is_ours
        else "straight, no proxy is needed"
    )
    yield Check("route", OK, how)
    yield _window(launch)
    yield from _settings(launch, env)
    if is_nested(env):
        yield Check("nested", WARN, f"this runs inside a session on {env['CCPROXY_SESSION']}")


def _claude(env: Mapping[str, str]) -> Check:
    fix = "curl -fsSL https://claude.ai/install.sh | bash"
    binary = find_claude(env)
    if binary is None:
        return Check("claude", FAIL, "Claude Code is not installed", fix)
    try:
        done = subprocess.run(  # noqa: S603 - the user's own Claude Code
            [binary, "--version"],
            capture_output=True,
            text=True,
            timeout=_VERSION_LIMIT,
            env=dict(env),
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Check("claude", FAIL, f"{binary} cannot be run: {error}", fix)
    version = re.search(r"(\d+)\.(\d+)\.(\d+)", done.stdout)
    if done.returncode != 0 or version is None:
        return Check("claude", WARN, f"{binary} does not print its version", fix)
    if tuple(map(int, version.groups())) < _OLDEST:
        oldest = ".".join(map(str, _OLDEST))
        return Check(
            "claude", WARN, f"{version[0]} is older than {oldest}, the oldest tested", "claude update"
        )
    return Check("claude", OK, f"{version[0]} at {binary}")


def _models_file(env: Mapping[str, str]) -> Check:
    try:
        path = ServerSettings.load({}, env).models
        if not path.exists():
            return Check("models", OK, f"no {path}; what is known of the provider counts")
        table = load_models(path)
    except ConfigError as error:
        return Check("models", FAIL, str(error).replace("\n", "; "))
    return Check("models", OK, f"{len(table.models)} in {path}")


def _proxies(env: Mapping[str, str]) -> Iterator[Check]:
    for name in _PROXIES:
        address = env.get(name, "")
        scheme = urlsplit(address if "://" in address else f"http://{address}").scheme
        if address and scheme not in ("http", "https"):
            yield Check(
                "proxy",
                FAIL,
                f"{name} is of kind {scheme}; only http and https are supported",
                f"unset {name}",
            )
        elif address:
            yield Check("proxy", OK, f"{name} is set; the session keeps local addresses away from it")


def _window(launch: Launch) -> Check:
    window = launch.changes.optional.get("CLAUDE_CODE_MAX_CONTEXT_TOKENS")
    model = launch.route.session.provider.model
    if window is None:
        fix = 'write "context": "128k" (the real size) in cc-proxy.json, or an entry in models.yaml'
        return Check("window", WARN, f"the window of {model} is not known; claude assumes up to 1m", fix)
    if int(window) < SMALL_WINDOW:
        fix = "use a model with a larger window, or load it with one"
        return Check("window", WARN, f"{model} has {window} tokens; below {SMALL_WINDOW} is too small", fix)
    return Check("window", OK, f"{model} has {window} tokens")


def _settings(launch: Launch, env: Mapping[str, str]) -> Iterator[Check]:
    settings = read_settings(env, Path.cwd())
    for problem in managed_conflicts(settings, launch.changes):
        yield Check("settings", WARN, f"{problem.path}:{problem.line}: {problem.what}", problem.hint)
    overridden = overrides(settings, launch.changes)
    names = {*overridden.get("env", {}), *(name for name in overridden if name != "env")}
    for setting in settings:
        if setting.name in names and not setting.is_managed:
            where = f"{setting.path}:{setting.line}"
            yield Check("settings", OK, f"{where}: {setting.name} is overridden for the session")
    for setting in settings:
        if setting.name == MODEL and not _is_claudes(setting.value):
            where = f"{setting.path}:{setting.line}"
            what = f"{where}: /model saved {setting.value}: claude without ccproxy asks Anthropic for it too"
            yield Check(
                "settings", WARN, what, 'remove the line "model", or choose another there with /model'
            )
    if all(setting.name == MODEL for setting in settings):
        yield Check("settings", OK, "no settings file of Claude Code overrides it")


def _is_claudes(model: str) -> bool:
    """Whether Anthropic has a model of this name: an alias of Claude Code, or one of its own ids."""
    return model.lower().partition("[")[0] in _ALIASES or model.lower().startswith("claude-")
