"""`ccproxy use|add|edit|init`: changing cc-proxy.json. A key is asked for without echo, never an argument."""

from __future__ import annotations

import os
import shlex
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from claude_code_proxy.cli import output
from claude_code_proxy.cli.ccproxy.arguments import UsageError, take_options
from claude_code_proxy.config import urls
from claude_code_proxy.config.cc_proxy_json.edit_text import (
    CannotEditError,
    new_text,
    with_default,
    with_provider,
)
from claude_code_proxy.config.cc_proxy_json.key_sources import BadKey, parse_key
from claude_code_proxy.config.cc_proxy_json.providers_file import load_providers
from claude_code_proxy.config.problems import ConfigError, Problem, did_you_mean
from claude_code_proxy.core.providers import PRESETS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from claude_code_proxy.core.providers import Provider


def use(arguments: Sequence[str], path: Path, env: Mapping[str, str]) -> int:  # noqa: ARG001 - one shape for all
    """Make a provider the default. Raises `ConfigError`, `UsageError`."""
    plain, _ = take_options("use", arguments)
    if len(plain) != 1:
        raise UsageError("use takes the name of a provider")
    load_providers(path)  # says what is wrong with the file before it is touched
    _rewrite(path, lambda text: with_default(text, plain[0]))
    output.note(f"{plain[0]} is the default now")
    return output.OK


def add(arguments: Sequence[str], path: Path, env: Mapping[str, str]) -> int:
    """Add a provider; makes the file when there is none. Raises `ConfigError`, `UsageError`."""
    plain, options = take_options("add", arguments, (), ("--key", "--url", "--model"))
    if len(plain) != 1:
        raise UsageError("add takes the name of one provider")
    name = plain[0]
    entry = _entry(name, env, options.get("--key"), options.get("--url"), options.get("--model"))
    if path.exists():
        load_providers(path)
        _rewrite(path, lambda text: with_provider(text, name, entry))
    else:
        _write(path, new_text({name: entry}))
    load_providers(path)
    output.note(f"added {name} to {path}\nnext: ccproxy -P {name}")
    return output.OK


def edit(arguments: Sequence[str], path: Path, env: Mapping[str, str]) -> int:
    """Open the file in the user's editor and check it afterwards. Raises `ConfigError`, `UsageError`."""
    import subprocess

    plain, _ = take_options("edit", arguments)
    if plain:
        raise UsageError("edit takes no arguments")
    if not path.exists():
        raise ConfigError.of([Problem(path, None, "no such file", "ccproxy init")])
    editor = shlex.split(env.get("VISUAL") or env.get("EDITOR") or "vi")
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


def init(arguments: Sequence[str], path: Path, env: Mapping[str, str]) -> int:
    """Write the file, for the named providers or those whose usual variables are set. Raises `UsageError`."""
    names, options = take_options("init", arguments, ("--force",))
    if path.exists() and "--force" not in options:
        output.error(f"{path} already exists (hint: ccproxy add NAME, or overwrite it with --force)")
        return output.FAILURE
    if not names:
        names = [preset.name for preset in PRESETS.values() if _variable_set(preset, env) and preset.models]
    if not names:
        known = ", ".join(preset.name for preset in PRESETS.values() if preset.key_variables)
        output.error(f"no provider's key is in the environment (hint: ccproxy init NAME with one of {known})")
        return output.FAILURE
    entries = {name: _entry(name, env, None, None, None) for name in names}
    if len(entries) > 1:
        entries[names[0]]["default"] = True
    _write(path, new_text(entries))
    output.note(f"wrote {path}: {', '.join(entries)}\nnext: ccproxy doctor, or just: ccproxy")
    return output.OK


def _entry(
    name: str, env: Mapping[str, str], key: str | None, url: str | None, model: str | None
) -> dict[str, Any]:
    """A provider's entry from what was given and what is known of the name. Raises `UsageError`."""
    preset = PRESETS.get(name)
    if preset is None and not (url and model):
        hint = did_you_mean(name, PRESETS) or f"known are {', '.join(PRESETS)}"
        raise UsageError(f'"{name}" is not known: give its --url and --model, or another name ({hint})')
    url = url or (preset.api_base if preset else "")
    try:
        urls.check(url)
    except urls.BadUrl as error:
        raise UsageError(f"--url: {str(error).replace('api_base', 'the URL')}") from None
    if preset is not None and any(
        part.isupper() for part in url.replace("/", ".").split(".") if part.isalpha()
    ):
        raise UsageError(f"{name}: give your own address with --url ({url})")
    model = model or (preset.models[0] if preset and preset.models else "")
    if not model:
        raise UsageError(f"{name}: give the model with --model")
    return {"base_url": url, "auth_key": _key(name, preset, env, key), "model": model}


def _key(name: str, preset: Provider | None, env: Mapping[str, str], given: str | None) -> str:
    if given is not None:
        try:
            source = parse_key(given)
        except BadKey as error:
            raise UsageError(f"--key: {error}") from None
        if source.kind == "plain":
            raise UsageError(
                "--key takes env:NAME, cmd:COMMAND or keyring:SERVICE/USER; leave it out to be prompted"
            )
        return given
    if preset is not None and (variable := _variable_set(preset, env)):
        return f"env:{variable}"
    if sys.stdin.isatty():
        from getpass import getpass

        key = getpass(f"key of {name} (not shown): ", stream=sys.stderr).strip()
        try:
            parse_key(key)
        except BadKey as error:
            raise UsageError(str(error)) from None
        return key
    if preset is not None and preset.key_variables:
        output.warning(f"{preset.key_variables[0]} is not set yet")
        return f"env:{preset.key_variables[0]}"
    raise UsageError(f"{name}: give the key's place with --key env:NAME")


def _variable_set(preset: Provider, env: Mapping[str, str]) -> str:
    return next((variable for variable in preset.key_variables if env.get(variable)), "")


def _rewrite(path: Path, change: Any) -> None:
    try:
        _write(path, change(path.read_text(encoding="utf-8-sig")))
    except CannotEditError as error:
        raise ConfigError.of([Problem(path, None, str(error))]) from None
    except OSError as error:
        raise ConfigError.of([Problem(path, None, f"cannot be read: {error.strerror}")]) from None


def _write(path: Path, text: str) -> None:
    """Put `text` in the file's place at once, readable by its owner only. Raises `ConfigError`."""
    target = Path(os.path.realpath(path))  # a link into a dotfiles folder stays one
    scratch = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor, scratch = tempfile.mkstemp(prefix=".cc-proxy-", dir=target.parent)  # mode 0600
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        Path(scratch).replace(target)
    except OSError as error:
        if scratch:
            with suppress(FileNotFoundError):
                Path(scratch).unlink()
        raise ConfigError.of([Problem(path, None, f"cannot be written: {error.strerror}")]) from None
