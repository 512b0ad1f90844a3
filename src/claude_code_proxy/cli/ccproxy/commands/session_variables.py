"""`ccproxy env`: what a session sets, for a shell to evaluate or a program to read."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from claude_code_proxy.cli import output
from claude_code_proxy.cli.ccproxy import launch
from claude_code_proxy.cli.ccproxy.arguments import Command, UsageError
from claude_code_proxy.cli.ccproxy.launch import Launch
from claude_code_proxy.config.cc_proxy_json.providers_file import Provider, choose, load_providers
from claude_code_proxy.config.claude_code.environment import KEY_VARIABLE
from claude_code_proxy.credentials.command import split_ttl

_SHELLS = ("bash", "zsh", "sh", "fish", "json")


def show_environment(command: Command) -> int:
    """Print the variables of a session without a private proxy. A key is printed with `--show-key` only.

    Without it the key's variable refers to where the key is, so that the shell itself gets it. A private
    proxy lives only as long as a session that `ccproxy` starts: where one is needed everything is a comment,
    and what to do is said. Raises `ConfigError`, `UsageError`.
    """
    path, env = command.path, command.env
    plain, options = command.take(("--json", "--show-key"), ("--shell",))
    shell = "json" if "--json" in options else options.get("--shell", "sh")
    if plain or shell not in _SHELLS:
        raise UsageError(f"env takes --show-key and --shell {'|'.join(_SHELLS)}")
    providers = load_providers(path)
    shows_key = "--show-key" in options
    chosen = choose(providers, command.provider, path)
    ready = launch.prepare(chosen, providers, path, env, with_keys=shows_key, direct=True)
    launch.warn(ready, env)
    code = output.OK
    if ready.route.job is not None:
        code = output.FAILURE
        output.error(
            f"nothing is set: {chosen.name} needs a proxy, which lives as long as a session. Start claude "
            f"with: ccproxy -P {chosen.name}; or keep a proxy running (claude-code-proxy init, then serve) "
            "and name it as base_url"
        )
    elif chosen.key.kind != "none":
        output.note(
            f"note: the key will be in {KEY_VARIABLE}, where all that the shell starts can read it, the "
            f"model's tools too; ccproxy -P {chosen.name} keeps it from them"
        )
    if shell == "json":
        variables = launch.shown_variables(ready.changes, with_secrets=shows_key)
        output.document({"version": 1, "set": variables, "unset": list(ready.changes.removed)})
        return code
    for line in _script(ready, is_fish=shell == "fish", shows_key=shows_key):
        print(line)
    return code


def _script(ready: Launch, *, is_fish: bool, shows_key: bool) -> Iterator[str]:
    own = ready.route.session.provider
    variables = launch.shown_variables(ready.changes, with_secrets=shows_key)
    if ready.route.job is not None:
        yield from (f"# {name}={value}" for name, value in variables.items())
        yield "false"  # what `eval` ends with
        return
    for name in ready.changes.removed:
        yield f"set -e {name}" if is_fish else f"unset {name}"
    for name, value in variables.items():
        if value != launch.HIDDEN:
            yield f"set -gx {name} {_fish(value)}" if is_fish else f"export {name}={shlex.quote(value)}"
        elif name == KEY_VARIABLE and (found := _reference(own, is_fish=is_fish)):
            yield f"set -gx {name} {found}" if is_fish else f"export {name}={found}"
        else:
            yield f"# {name}={value}"
            yield "echo 'ccproxy: the key is left out; with it: eval \"$(ccproxy env --show-key)\"' >&2"


def _reference(provider: Provider, *, is_fish: bool) -> str:
    """How a shell gets the key from where it is; "" where it cannot."""
    if provider.key.kind == "env":
        return f'"${provider.key.value}"'
    if provider.key.kind == "cmd":
        command = f"sh -c {shlex.quote(split_ttl(provider.key.value)[0])} | head -n 1"
        return f"({command})" if is_fish else f'"$({command})"'
    return "no-key" if provider.key.kind == "none" else ""


def _fish(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
