"""`ccproxy use|remove|edit`: changing the providers of cc-proxy.json."""

from __future__ import annotations

import shlex

from claude_code_proxy.cli import output
from claude_code_proxy.cli.ccproxy.arguments import Command, UsageError
from claude_code_proxy.cli.ccproxy.commands.changed_file import change
from claude_code_proxy.config.cc_proxy_json.edit_text import with_default, without_provider
from claude_code_proxy.config.cc_proxy_json.providers_file import Provider, choose, load_providers
from claude_code_proxy.config.problems import ConfigError, Problem


def use(command: Command) -> int:
    """Make a provider the default. Raises `ConfigError`, `UsageError`."""
    plain, _ = command.take()
    if len(plain) != 1:
        raise UsageError("use takes the name of a provider")
    load_providers(command.path)  # says what is wrong with the file before it is touched
    change(command.path, lambda text: with_default(text, plain[0]))
    output.note(f"{plain[0]} is the default now")
    return output.OK


def remove(command: Command) -> int:
    """Take a provider out of the file. Raises `ConfigError`, `UsageError`."""
    path = command.path
    plain, _ = command.take()
    if len(plain) != 1:
        raise UsageError("remove takes the name of a provider")
    name = plain[0]
    providers = load_providers(path)
    gone = choose(providers, name, path)
    left = [provider for provider in providers if provider.name != name]
    if not left:
        what = f"{name} is the only provider"
        raise ConfigError.of([Problem(path, None, what, f"add another one first, or delete {path}")])
    follows = left[0].name if gone.is_default and len(left) > 1 else ""

    def changed(text: str) -> str:
        text = without_provider(text, name)
        return with_default(text, follows) if follows else text

    change(path, changed)
    output.note(f"removed {name} from {path}" + (f"; {follows} is the default now" if follows else ""))
    for provider in left:
        named = [model for model in _models_of(provider) if model.startswith(f"{name}/")]
        if named:
            output.warning(f"{provider.name} still names {', '.join(named)} (hint: ccproxy edit)")
    return output.OK


def edit(command: Command) -> int:
    """Open the file in the user's editor and check it afterwards. Raises `ConfigError`, `UsageError`."""
    import subprocess

    path, env = command.path, command.env
    plain, _ = command.take()
    if plain:
        raise UsageError("edit takes no arguments")
    if not path.exists():
        raise ConfigError.of([Problem(path, None, "no such file", "ccproxy init")])
    told = env.get("VISUAL") or env.get("EDITOR") or "vi"
    try:
        editor = shlex.split(told) or ["vi"]
    except ValueError:
        output.error(f"the editor {told}: a quotation mark is not closed (hint: export EDITOR=...)")
        return output.FAILURE
    try:
        code = subprocess.run([*editor, str(path)], check=False).returncode  # noqa: S603 - the user's own editor
    except OSError as error:
        output.error(f"{editor[0]}: cannot be run: {error.strerror} (hint: export EDITOR=...)")
        return output.FAILURE
    if code != 0:
        output.error(f"{editor[0]} ended with exit code {code}")
        return output.FAILURE
    names = ", ".join(provider.name for provider in load_providers(path))
    output.note(f"{path} is in order: {names}")
    return output.OK


def _models_of(provider: Provider) -> list[str]:
    """The models that a provider names beside its own."""
    named = [provider.small_model, provider.subagent_model, *provider.tiers.values(), *provider.fallback]
    named += [*(rule.to for rule in provider.routes), provider.safety_model, provider.classifier_model]
    return [model for model in named if model]
