"""`ccproxy`: start Claude Code on a provider of cc-proxy.json, and look after that file."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path

from claude_code_proxy.cli import output
from claude_code_proxy.cli.ccproxy import terminal
from claude_code_proxy.cli.ccproxy.arguments import FUNCTIONS, HELP, Command, CommandLine, UsageError, parse
from claude_code_proxy.cli.ccproxy.mistaken_words import meant_by
from claude_code_proxy.config import paths
from claude_code_proxy.config.cc_proxy_json.providers_file import choose, load_providers
from claude_code_proxy.config.problems import ConfigError


def run(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv` (default: the process's own); returns only if it did not become claude."""
    output.any_text()
    try:
        code = _dispatch(parse(sys.argv[1:] if argv is None else argv), os.environ)
        sys.stdout.flush()
    except BrokenPipeError:
        return output.broken_pipe()
    except UsageError as error:
        text = str(error)
        output.error(text if "ccproxy " in text or "(hint: " in text else f"{text} (hint: ccproxy --help)")
        return output.USAGE
    except ConfigError as error:
        output.error(error)
        return output.CONFIG
    except KeyboardInterrupt:
        return output.INTERRUPTED
    return code


def _dispatch(line: CommandLine, env: Mapping[str, str]) -> int:
    name = "help" if line.help else "version" if line.version else line.command
    if name == "help":
        print(HELP, end="")
        return output.OK
    path = line.config or paths.providers_file(env)
    wanted = line.provider or env.get("CCPROXY_PROVIDER") or None
    if name:
        module, _, function = FUNCTIONS[name].rpartition(".")
        act = getattr(import_module(f"claude_code_proxy.cli.ccproxy.{module}"), function)
        code: int = act(Command(name, line.rest[1:], wanted, path, env, line.dry_run))
        return code
    if line.rest and not line.ended and not _is_prompt(line.rest[0]):
        return output.USAGE
    if not path.exists() and terminal.is_interactive() and _offers_init(path, env):
        print(file=sys.stderr)
    providers = load_providers(path)
    from claude_code_proxy.cli.ccproxy import launch

    chosen = choose(providers, wanted, path)
    ready = launch.prepare(chosen, providers, path, env, with_keys=not line.dry_run, direct=line.direct)
    if line.direct and ready.route.job is not None:
        raise UsageError(f"--direct: {chosen.name} needs a proxy in between")
    if line.dry_run:
        launch.show(ready, line.rest, env)
        return output.OK
    return launch.run(ready, line.rest, env)


def _is_prompt(word: str) -> bool:
    """Whether the first argument is for Claude Code; asks or refuses where it looks like a command."""
    meant = meant_by(word)
    if not meant:
        return True
    if terminal.is_interactive():
        return terminal.agrees(
            f'"{word}" looks like the command: {meant}. Send it to claude as a prompt?', usually=False
        )
    output.error(f'"{word}" is no command; did you mean: {meant}? As a prompt: ccproxy -- {word}')
    return False


def _offers_init(path: Path, env: Mapping[str, str]) -> bool:
    """Whether the user wanted a providers file, and has one now."""
    if not terminal.agrees(f"There is no {path} yet. Write it now?", usually=True):
        return False
    from claude_code_proxy.cli.ccproxy.commands.adding import init

    return init(Command("init", (), None, path, env)) == output.OK
