"""`ccproxy`: start Claude Code on a provider of cc-proxy.json.

It only sets the environment and then becomes Claude Code (`exec`), so terminal, signals and exit code are
Claude Code's own.
"""

from __future__ import annotations

import os
import shutil
import signal
import stat
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from claude_code_proxy.config import paths
from claude_code_proxy.config.claude_settings import overrides, read_settings_env, settings_argument
from claude_code_proxy.config.launcher import (
    KEY_VARIABLE,
    SMALL_WINDOW,
    Limits,
    build_environment,
    plan_changes,
)
from claude_code_proxy.config.problems import ConfigError
from claude_code_proxy.config.providers import Provider, choose, load_providers
from claude_code_proxy.config.settings import ServerSettings

from . import output

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from claude_code_proxy.config.launcher import Changes

HELP = """\
usage: ccproxy [-P PROVIDER] [-C FILE] [--dry-run] [--] [Claude Code's own arguments]
       ccproxy [-C FILE] list [--json]

Start Claude Code on a provider.

  ccproxy                          the only provider of the file, or its default
  ccproxy -P deepseek              this provider
  ccproxy -P deepseek -p "hello"   everything else goes to claude, unchanged and in order
  ccproxy -- --help                claude's own help: -- ends ccproxy's options
  ccproxy list                     the configured providers

options:
  -P, --provider NAME   the provider [CCPROXY_PROVIDER]
  -C, --config FILE     the providers file (default ~/.config/llm/cc-proxy.json)
  --dry-run             show what would be run and set, without the key
  -h, --help            this text

the file (comments allowed; keep it at mode 0600):
  {
    "deepseek": {
      "base_url": "http://127.0.0.1:8082",   // claude-code-proxy serve
      "auth_key": "sk-...",                  // the provider's key
      "model": "deepseek-chat",
      "default": true
    }
  }
More keys: small_model, ANTHROPIC_DEFAULT_{OPUS,SONNET,HAIKU,FABLE}_MODEL, CLAUDE_CODE_SUBAGENT_MODEL,
context, max_tokens.

exit codes: claude's own, and before it starts
  2 wrong usage    78 the configuration is wrong    126 claude cannot be run    127 claude is not installed
"""

_INSTALL = "claude is not installed (hint: curl -fsSL https://claude.ai/install.sh | bash)"
_HIDDEN = "(hidden)"


class UsageError(Exception):
    """The command line makes no sense; the text says why."""


@dataclass(slots=True)
class CommandLine:
    """What `ccproxy` was asked to do; `rest` is for Claude Code."""

    provider: str | None = None
    config: Path | None = None
    dry_run: bool = False
    help: bool = False
    rest: list[str] = field(default_factory=list)
    ended: bool = False
    """A `--` closed ccproxy's own options before anything for Claude Code."""


def run(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv` (default: the process's own); returns only if it did not become claude."""
    try:
        return _dispatch(parse(sys.argv[1:] if argv is None else argv), os.environ)
    except UsageError as error:
        output.error(f"{error} (hint: ccproxy --help)")
        return output.USAGE
    except ConfigError as error:
        output.error(error)
        return output.CONFIG
    except KeyboardInterrupt:
        return output.INTERRUPTED


def parse(argv: Sequence[str]) -> CommandLine:
    """Take ccproxy's own options out of `argv`; raises `UsageError` where one lacks its value.

    The first `--` ends them. It goes on to Claude Code where it comes after an argument of Claude Code's,
    as it then means something there too (`ccproxy mcp add NAME -- COMMAND`).
    """
    line = CommandLine()
    arguments = iter(argv)
    for argument in arguments:
        option, equals, value = argument.partition("=")
        if argument == "--":
            line.ended = not line.rest
            line.rest += arguments if line.ended else [argument, *arguments]
        elif argument == "--dry-run":
            line.dry_run = True
        elif argument in ("-h", "--help") and not line.rest:
            line.help = True
        elif argument in _VALUED or (equals and option in _VALUED and option.startswith("--")):
            text = value if equals else next(arguments, "")
            if not text or text == "--":
                raise UsageError(f"{option} needs a value")
            if _VALUED[option] == "provider":
                line.provider = text
            else:
                line.config = Path(text).expanduser()
        else:
            line.rest.append(argument)
    return line


_VALUED = {"-P": "provider", "--provider": "provider", "-C": "config", "--config": "config"}


def _dispatch(line: CommandLine, env: Mapping[str, str]) -> int:
    if line.help:
        print(HELP, end="")
        return output.OK
    path = line.config or paths.providers_file(env)
    providers = load_providers(path)
    _warn_if_readable(path)
    if line.rest[:1] == ["list"] and not line.ended:
        return _list(providers, path, line.rest[1:])
    provider = choose(providers, line.provider or env.get("CCPROXY_PROVIDER") or None, path)
    limits = _limits(provider, env)
    changes = plan_changes(provider, env, limits)
    _warn_if_small(provider, changes)
    from_settings = overrides(read_settings_env(env, Path.cwd()), changes)
    arguments = [*_session_settings(from_settings, line.rest), *line.rest]
    claude = find_claude(env)
    if line.dry_run:
        _show(claude, arguments, changes)
        return output.OK
    if claude is None:
        output.error(_INSTALL)
        return output.NOT_FOUND
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it, and exec would hand that on
    try:
        os.execve(claude, ["claude", *arguments], build_environment(provider, env, limits))  # noqa: S606
    except OSError as error:
        output.error(f"{claude}: cannot be run: {error.strerror}")
        return output.NOT_EXECUTABLE


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


def _limits(provider: Provider, env: Mapping[str, str]) -> Limits:
    """What the local models.yaml knows about the provider's model."""
    from claude_code_proxy.config.models import load_models  # 100 ms, and only needed when there is a file

    try:
        path = ServerSettings.load({}, env).models
        model = load_models(path).resolve(provider.model) if path.exists() else None
    except ConfigError as error:
        output.warning(error)
        return Limits()
    if model is None:
        return Limits()
    return Limits(model.context, model.max_tokens, model.is_anthropic)


def _session_settings(variables: Mapping[str, str], rest: Sequence[str]) -> list[str]:
    if variables and any(argument.split("=")[0] == "--settings" for argument in rest):
        names = ", ".join(variables)
        output.warning(f"a settings file of Claude Code sets {names}; your own --settings is left as it is")
        return []
    return settings_argument(variables)


def _list(providers: Sequence[Provider], path: Path, arguments: Sequence[str]) -> int:
    if arguments not in ([], ["--json"]):
        raise UsageError(f"list takes --json only, not {' '.join(arguments)}")
    if arguments:
        listed = [
            {
                "name": provider.name,
                "base_url": provider.base_url,
                "auth_key": _HIDDEN,
                "model": provider.model,
                "small_model": provider.small_model,
                "default": provider.is_default or len(providers) == 1,
            }
            for provider in providers
        ]
        output.document({"version": 1, "file": str(path), "providers": listed})
        return output.OK
    rows = [("", "PROVIDER", "MODEL", "BASE URL")]
    rows += [
        (
            "*" if provider.is_default or len(providers) == 1 else "",
            provider.name,
            provider.model,
            provider.base_url,
        )
        for provider in providers
    ]
    output.table(rows)
    return output.OK


def _show(claude: str | None, arguments: Sequence[str], changes: Changes) -> None:
    import shlex

    for name in changes.removed:
        print(f"unset {name}")
    for name, value in sorted((changes.required | changes.optional).items()):
        print(f"export {name}={_HIDDEN if name == KEY_VARIABLE else shlex.quote(value)}")
    print(shlex.join([claude or "claude", *arguments]))
    if claude is None:
        output.warning(_INSTALL)


def _warn_if_readable(path: Path) -> None:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        output.warning(f"{path} holds keys and others can read it (hint: chmod 600 {path})")


def _warn_if_small(provider: Provider, changes: Changes) -> None:
    context = int(changes.optional.get("CLAUDE_CODE_MAX_CONTEXT_TOKENS", SMALL_WINDOW))
    if context < SMALL_WINDOW:
        output.warning(
            f"{provider.model} has a window of {context} tokens; Claude Code works badly below {SMALL_WINDOW}"
        )
