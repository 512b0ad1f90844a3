"""`claude-code-proxy`: run the server, write an example configuration, list the models, see a demo.

Each command imports what it needs when it runs, so that `--help` answers at once.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from claude_code_proxy import __version__
from claude_code_proxy.config.problems import ConfigError
from claude_code_proxy.config.settings import SETTINGS, ServerSettings

from . import output

if TYPE_CHECKING:
    from collections.abc import Sequence

    from claude_code_proxy.config.model import ModelConfig
    from claude_code_proxy.config.settings import Setting

_DESCRIPTION = """\
Run Claude Code, and every other Anthropic Messages client, on any model provider.

  claude-code-proxy init      write an example models.yaml, then edit it
  claude-code-proxy serve     start the server on http://127.0.0.1:8082
  claude-code-proxy models    list what is configured
  claude-code-proxy demo      watch a conversation through it, no account needed
"""
_EPILOG = """\
exit codes:
  0 done    1 failed    2 wrong usage    78 the configuration is wrong    130 interrupted

Claude Code itself is started with: ccproxy --help
"""
_SERVE_EPILOG = "A flag beats its environment variable, which beats the default. Keys come with each request."


def run(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv` (default: the process's own) and return the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        return _dispatch(arguments)
    except ConfigError as error:
        output.error(error)
        return output.CONFIG
    except KeyboardInterrupt:
        return output.INTERRUPTED


def _dispatch(arguments: list[str]) -> int:
    parser = build_parser()
    if not arguments:
        parser.print_help()
        return output.OK
    options, rest = parser.parse_known_args(arguments)
    if options.command == "demo":
        from claude_code_proxy.demo.main import run as demo

        return demo(rest)
    if rest:
        parser.error(f"unknown arguments: {' '.join(rest)}")
    settings = ServerSettings.load(_flags(options), os.environ)
    if options.command == "serve":
        from claude_code_proxy.server.serve import serve

        return serve(settings)
    if options.command == "init":
        return _init(settings, force=options.force)
    return _models(settings, as_json=options.json)


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        "claude-code-proxy",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=formatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"claude-code-proxy {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    serve = commands.add_parser("serve", help="start the server", epilog=_SERVE_EPILOG, allow_abbrev=False)
    for setting in SETTINGS:
        _add(serve, setting)

    models_setting = next(setting for setting in SETTINGS if setting.name == "models")
    init = commands.add_parser("init", help="write an example models.yaml", allow_abbrev=False)
    _add(init, models_setting)
    init.add_argument("--force", action="store_true", help="overwrite the file if it is there")

    models = commands.add_parser("models", help="list the configured models", allow_abbrev=False)
    _add(models, models_setting)
    models.add_argument("--json", action="store_true", help="as a JSON document")

    # The demo reads its own arguments, its --help included.
    commands.add_parser(
        "demo", help="run a conversation through the proxy", add_help=False, allow_abbrev=False
    )
    return parser


def _add(parser: argparse.ArgumentParser, setting: Setting) -> None:
    default = ServerSettings.default(setting.name)
    says = setting.help if default is None else f"{setting.help} (default {default})"
    parser.add_argument(
        setting.flag, dest=setting.name, metavar=setting.metavar, help=f"{says} [{setting.env}]"
    )


def _flags(options: argparse.Namespace) -> dict[str, str | None]:
    return {setting.name: getattr(options, setting.name, None) for setting in SETTINGS}


def _init(settings: ServerSettings, *, force: bool) -> int:
    from claude_code_proxy.config.example import EXAMPLE

    path = settings.models
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w" if force else "x", encoding="utf-8") as file:
            file.write(EXAMPLE)
    except OSError as error:
        if path.exists() and not force:
            output.error(f"{path} is already there (hint: edit it, or overwrite it with --force)")
        else:
            output.error(f"{path}: cannot be written: {error.strerror}")
        return output.FAILURE
    output.note(f"wrote {path}\nnext: edit it, then run: claude-code-proxy serve")
    return output.OK


def _models(settings: ServerSettings, *, as_json: bool) -> int:
    from claude_code_proxy.config.models import load_models

    loaded = load_models(settings.models)
    for text in loaded.warnings:
        output.warning(text)
    if as_json:
        models = [_described(model) for model in loaded.models]
        output.document({"version": 1, "file": str(settings.models), "models": models})
        return output.OK
    rows = [("MODEL", "UPSTREAM NAME", "FORMAT", "PROFILE", "CONTEXT", "OUTPUT", "API BASE")]
    rows += [
        (
            model.model_id,
            model.model_name,
            model.format,
            model.profile.name,
            str(model.context or "-"),
            str(model.max_tokens or "-"),
            model.api_base,
        )
        for model in loaded.models
    ]
    output.table(rows)
    return output.OK


def _described(model: ModelConfig) -> dict[str, object]:
    return {
        "model_id": model.model_id,
        "model_name": model.model_name,
        "api_base": model.api_base,
        "url": model.chat_url or model.messages_url,
        "format": model.format,
        "profile": model.profile.name,
        "context": model.context,
        "max_input_tokens": model.max_input_tokens,
        "max_tokens": model.max_tokens,
        "can_stream": model.can_stream,
    }
