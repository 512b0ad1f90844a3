"""`ccproxy add|init`: new providers of cc-proxy.json. A key is asked for without echo, never an argument."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

from claude_code_proxy.cli import output
from claude_code_proxy.cli.ccproxy import terminal
from claude_code_proxy.cli.ccproxy.arguments import Command, UsageError
from claude_code_proxy.cli.ccproxy.commands.changed_file import change, write
from claude_code_proxy.cli.ccproxy.commands.chosen_model import choose_model
from claude_code_proxy.config import urls
from claude_code_proxy.config.cc_proxy_json.edit_text import new_text, with_default, with_provider
from claude_code_proxy.config.cc_proxy_json.key_sources import NO_KEY, KeySource, parse_key
from claude_code_proxy.config.cc_proxy_json.providers_file import Provider, load_providers, needs_no_key
from claude_code_proxy.config.problems import ConfigError, Problem, near
from claude_code_proxy.core.providers import CALLED, PRESETS, preset_called, profile_for
from claude_code_proxy.core.providers import Provider as Preset
from claude_code_proxy.credentials.source import CredentialError

_OPTIONS = ("--key", "--url", "--model")


class Given(NamedTuple):
    """What the command line says of a new provider."""

    command: str
    name: str
    key: str | None = None
    url: str | None = None
    model: str | None = None

    @property
    def typed(self) -> list[str]:
        """The words of the command line but for the model."""
        options = (("--key", self.key), ("--url", self.url))
        words = [word for name, value in options if value for word in (name, value)]
        return [self.command, self.name, *words]


def add(command: Command) -> int:
    """Add a provider; makes the file when there is none. Raises `ConfigError`, `UsageError`."""
    path, env = command.path, command.env
    names, options = command.take((), _OPTIONS)
    present = load_providers(path) if path.exists() else []
    if not names and terminal.is_interactive():
        names = [_pick_provider(env)]
    if len(names) != 1:
        raise UsageError("add takes the name of one provider")
    name = names[0]
    if any(provider.name == name for provider in present):
        hint = f"ccproxy edit, or: ccproxy remove {name}"
        raise ConfigError.of([Problem(path, None, f'"{name}" already exists', hint)])
    entry = _entry(_given("add", name, options), env)
    if not path.exists():
        write(path, new_text({name: entry}))
    else:
        first = present[0].name if len(present) == 1 and not present[0].is_default else ""

        def with_both(text: str) -> str:
            # Added first: a file that cannot take a second provider then stays as it is.
            added = with_provider(text, name, entry)
            return with_default(added, first) if first else added

        change(path, with_both)
    default = next((provider.name for provider in load_providers(path) if provider.is_default), name)
    also = "" if default == name else f" ({default} stays the default: ccproxy use {name} changes it)"
    output.note(f"added {name} to {path}: {entry['model']}\nnext: ccproxy -P {name}{also}")
    return output.OK


def init(command: Command) -> int:
    """Write the file: for the named providers, for those whose usual variables are set, or as asked.

    Raises `ConfigError`, `UsageError`.
    """
    path, env = command.path, command.env
    names, options = command.take(("--force",), _OPTIONS)
    if path.exists() and "--force" not in options:
        output.error(f"{path} already exists (hint: ccproxy add NAME, or overwrite it with --force)")
        return output.FAILURE
    later: list[str] = []
    if not names:
        found = [preset.name for preset in PRESETS.values() if _variable_set(preset, env)]
        names = [name for name in found if PRESETS[name].models]
        later = [name for name in found if not PRESETS[name].models]
        if not names and len(later) == 1:
            names, later = later, []
        if not found and terminal.is_interactive():
            names = [_pick_provider(env)]
        elif not found:
            known = ", ".join(preset.name for preset in PRESETS.values() if preset.key_variables)
            local = ", ".join(preset.name for preset in PRESETS.values() if preset.start)
            output.error(
                f"no provider's key is in the environment (hint: ccproxy init NAME with one of {known}, "
                f"or, on this machine, {local})"
            )
            return output.FAILURE
        elif not names and terminal.is_interactive():
            names = [terminal.pick("provider", [(name, _remark(PRESETS[name], env)) for name in later])]
        elif not names:
            raise UsageError(
                f"several keys are in the environment; name one provider and its model: "
                f"ccproxy init {later[0]} --model MODEL; ccproxy models {later[0]} lists them"
            )
    if len(names) > 1 and any(option in options for option in _OPTIONS):
        raise UsageError("init: --key, --url and --model belong to one provider")
    entries = {name: _entry(_given("init", name, options), env) for name in names}
    if len(entries) > 1:
        entries[names[0]]["default"] = True
    write(path, new_text(entries))
    load_providers(path)
    told = ", ".join(f"{name} ({entry['model']})" for name, entry in entries.items())
    output.note(f"wrote {path}: {told}")
    for name in later:
        output.note(f"a key of {name} is there too: ccproxy add {name} --model MODEL (ccproxy models {name})")
    output.note("next: ccproxy doctor, or just: ccproxy")
    return output.OK


def _given(command: str, name: str, options: Mapping[str, str]) -> Given:
    return Given(command, name, *(options.get(option) for option in _OPTIONS))


def _entry(given: Given, env: Mapping[str, str]) -> dict[str, Any]:
    """A provider's entry from what was given, what is known of the name and what the user says.

    Raises `UsageError`.
    """
    preset = preset_called(given.name)
    if preset is None and not given.url:
        like = near(given.name, CALLED, 1)
        exact = f"ccproxy {given.command} {shlex.quote(given.name)} --url URL --model MODEL"
        if like:
            raise UsageError(
                f'"{given.name}" is not known; did you mean "{like[0]}"? One of your own: {exact}'
            )
        known = f"known are {', '.join(PRESETS)}"
        raise UsageError(f'"{given.name}" is not known; one of your own: {exact}; {known}')
    url = _url(given, preset)
    key = _key(given, preset, url, env)
    source = parse_key(key) if key else NO_KEY
    profile = preset.name if preset and profile_for(api_base=url, model="").name != preset.name else None
    provider = Provider(name=given.name, base_url=url, key=source, model=given.model or "*", profile=profile)
    model = choose_model(provider, given.typed, preset, env, is_told=given.model is not None)
    entry = {
        "base_url": url,
        "auth_key": key,
        "model": model.name,
        "profile": profile,
        "context": model.unknown_window,
    }
    return {name: value for name, value in entry.items() if value}


def _url(given: Given, preset: Preset | None) -> str:
    url = given.url or (preset.api_base if preset else "")
    try:
        urls.check(url)
    except urls.BadUrl as error:
        raise UsageError(f"--url: {str(error).replace('api_base', 'the URL')}") from None
    parts = url.replace("/", ".").split(".")
    if preset is not None and any(part.isupper() for part in parts if part.isalpha()):
        raise UsageError(f"{given.name}: give your own address with --url ({url})")
    return url


def _key(given: Given, preset: Preset | None, url: str, env: Mapping[str, str]) -> str:
    """The text for `auth_key`; "" for a server that asks for none. Raises `UsageError`."""
    if given.key is not None:
        if _parsed(given.key, "--key: ").kind == "plain":
            raise UsageError(
                "--key takes env:NAME, cmd:COMMAND, file:PATH, keyring:SERVICE/USER or a cloud's login "
                "(google:, entra:, aws:); "
                "leave it out to be prompted"
            )
        return given.key
    if preset is not None and preset.login:
        return f"login:{preset.login}"
    if preset is not None and (variable := _variable_set(preset, env)):
        return f"env:{variable}"
    if preset is not None and preset.key_source:
        return preset.key_source
    if (preset is None or not preset.key_variables) and needs_no_key(url):
        return ""
    if sys.stdin.isatty():
        from getpass import getpass

        key = getpass(f"key of {given.name} (not shown): ", stream=sys.stderr).strip()
        _parsed(key)
        return key
    if preset is not None and preset.key_variables:
        output.warning(f"{preset.key_variables[0]} is not set yet")
        return f"env:{preset.key_variables[0]}"
    raise UsageError(f"{given.name}: give the key's place with --key env:NAME")


def _parsed(key: str, before: str = "") -> KeySource:
    try:
        return parse_key(key)
    except CredentialError as error:
        raise UsageError(f"{before}{error}") from None


def _variable_set(preset: Preset, env: Mapping[str, str]) -> str:
    return next((variable for variable in preset.key_variables if env.get(variable)), "")


def _pick_provider(env: Mapping[str, str]) -> str:
    """The provider that the user chooses; those whose keys are there stand first."""
    rows = [(preset.name, _remark(preset, env)) for preset in PRESETS.values()]
    rows.sort(key=lambda row: not row[1].endswith("is set"))
    return terminal.pick("provider", rows)


def _remark(preset: Preset, env: Mapping[str, str]) -> str:
    variable = _variable_set(preset, env)
    if variable:
        return f"{preset.title}; {variable} is set"
    return f"{preset.title}; on this machine, no key" if preset.start else preset.title
