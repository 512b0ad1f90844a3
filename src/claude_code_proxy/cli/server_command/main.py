"""`claude-code-proxy`: run the server, write a configuration, list models, explain a request, read, demo.

Each command imports what it needs when it runs, so that `--help` answers at once.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from claude_code_proxy import __version__
from claude_code_proxy.cli import output
from claude_code_proxy.config.problems import ConfigError, near
from claude_code_proxy.config.settings import SETTINGS, ServerSettings, Setting
from claude_code_proxy.core.request.request_kind import CLASSES

_DESCRIPTION = """\
Run Claude Code, and every other Anthropic Messages client, on any model provider.

  claude-code-proxy init      write a models.yaml (--provider deepseek openrouter ...)
  claude-code-proxy serve     start the server on http://127.0.0.1:8082
  claude-code-proxy models    list what is configured (--learned: what was found out)
  claude-code-proxy top       watch sessions and requests live (extra [top]; in a browser: /ui)
  claude-code-proxy usage     show the tokens of the past days
  claude-code-proxy sessions  show the sessions of the running server, and what was read again
  claude-code-proxy replay    run a captured exchange again (serve --capture)
  claude-code-proxy explain   show what a request becomes, without calling anyone
  claude-code-proxy docs      read the documentation (docs configuration)
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
    output.any_text()
    try:
        code = _dispatch(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        return output.broken_pipe()
    except ConfigError as error:
        output.error(error)
        return output.CONFIG
    except KeyboardInterrupt:
        return output.INTERRUPTED
    return code


def _dispatch(arguments: list[str]) -> int:
    parser = build_parser()
    if not arguments:
        parser.print_help()
        return output.OK
    if arguments[0] in ("help", "version"):
        arguments = [*arguments[1:], f"--{arguments[0]}"]
    elif not arguments[0].startswith("-"):
        _refuse_unknown(parser, arguments[0])
    options, rest = parser.parse_known_args(arguments)
    if options.command == "demo":
        from claude_code_proxy.demo.run import run as demo

        return demo(rest)
    if rest:
        parser.error(f"unknown arguments: {' '.join(rest)}")
    if options.command == "docs":
        from claude_code_proxy.cli.server_command.show_docs import show_docs

        return show_docs(options.page)
    settings = ServerSettings.load(_flags(options), os.environ)
    if options.command == "serve":
        from claude_code_proxy.server.serve import serve

        return serve(settings)
    if options.command == "init":
        from claude_code_proxy.cli.server_command.init import init

        return init(settings.models, options.provider, force=options.force)
    if options.command == "explain":
        from claude_code_proxy.cli.server_command.explain import explain

        return explain(
            settings,
            options.request,
            options.model,
            diff=options.diff,
            as_json=options.json,
            request_class=options.request_class,
        )
    if options.command == "replay":
        from claude_code_proxy.cli.server_command.run_again import replay

        return replay(
            settings,
            options.file,
            model=options.model,
            against=options.against,
            key_variable=options.key_env,
            as_json=options.json,
        )
    if options.command == "capture":
        from claude_code_proxy.cli.server_command.run_again import to_case

        return to_case(settings, options.file, options.to)
    if options.command == "top":
        from claude_code_proxy.cli.server_command.top import top

        return top(options.url or _url_of(settings))
    if options.command in ("sessions", "cache-report"):
        from claude_code_proxy.cli.server_command import show_sessions

        url = options.url or _url_of(settings)
        if options.command == "sessions":
            return show_sessions.sessions(url, as_json=options.json)
        return show_sessions.cache_report(options.source, url, as_json=options.json)
    if options.command == "usage":
        from claude_code_proxy.cli.server_command.show_usage import show_usage

        path = settings.usage_file
        if path is None:
            raise ConfigError("usage: --usage-file no: nothing is kept")
        return show_usage(path, options.by, options.since, as_json=options.json)
    from claude_code_proxy.cli.server_command import list_models as models

    if options.learned:
        return models.learned(options.url or _url_of(settings), as_json=options.json)
    return models.configured(settings.models, as_json=options.json)


def _refuse_unknown(parser: argparse.ArgumentParser, word: str) -> None:
    """End with what the first argument was probably meant for, unless it is a command."""
    commands = commands_of(parser)
    if word in commands:
        return
    from claude_code_proxy.cli.ccproxy.arguments import COMMANDS
    from claude_code_proxy.cli.ccproxy.mistaken_words import STARTS, meant_by

    meant = next(iter(near(word, (*commands, *COMMANDS), 1)), "")
    if word in STARTS:
        meant = "serve"
    told = f"claude-code-proxy {meant}" if meant in commands else meant_by(word)
    told = f"; did you mean: {told}?" if told else ""
    parser.error(f'"{word}" is no command{told}')


def commands_of(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """The parsers of the commands by name."""
    for action in parser._actions:  # noqa: SLF001 - argparse has no public way to its parts
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            return dict(action.choices)
    raise AssertionError("the parser has commands")


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

    by_name = {setting.name: setting for setting in SETTINGS}
    init = commands.add_parser("init", help="write a models.yaml", allow_abbrev=False)
    _add(init, by_name["models"])
    init.add_argument(
        "--provider",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME",
        help="write working entries for these providers; they are added to an existing file",
    )
    init.add_argument("--force", action="store_true", help="overwrite an existing file")

    models = commands.add_parser("models", help="list the configured models", allow_abbrev=False)
    models.add_argument("--json", action="store_true", help="as a JSON document")
    models.add_argument(
        "--learned", action="store_true", help="what the running server has learned, as lines for models.yaml"
    )
    models.add_argument("--url", help="the running server (default: by its host and port)")
    for name in ("models", "host", "port"):
        _add(models, by_name[name])

    top = commands.add_parser("top", help="watch sessions and requests live", allow_abbrev=False)
    top.add_argument("--url", help="the running server (default: by its host and port)")
    for name in ("host", "port"):
        _add(top, by_name[name])

    usage = commands.add_parser("usage", help="show the tokens of the past days", allow_abbrev=False)
    usage.add_argument("--since", metavar="DAY", help="the first day, such as 2026-01-31, or 7d for days ago")
    groups = ("day", "model", "provider", "session", "class")
    usage.add_argument("--by", choices=groups, default="day", help="what to sum up by (default: day)")
    usage.add_argument("--json", action="store_true", help="as a JSON document")
    _add(usage, by_name["usage_file"])

    sessions = commands.add_parser("sessions", help="show the running server's sessions", allow_abbrev=False)
    report = commands.add_parser("cache-report", help="explain what a session read again", allow_abbrev=False)
    report.add_argument(
        "source", metavar="CAPTURE|SESSION", help="a file or folder of serve --capture, or a session's id"
    )
    for command in (sessions, report):
        command.add_argument("--json", action="store_true", help="as a JSON document")
        command.add_argument("--url", help="the running server (default: by its host and port)")
        for name in ("host", "port"):
            _add(command, by_name[name])

    replay = commands.add_parser("replay", help="run a captured exchange again", allow_abbrev=False)
    replay.add_argument("file", metavar="FILE", help="a file of serve --capture")
    replay.add_argument("--model", help="ask this model of models.yaml instead of the recorded responses")
    replay.add_argument(
        "--against", metavar="URL", help="ask the provider at this api_base (--model: its name for the model)"
    )
    replay.add_argument(
        "--key-env",
        metavar="NAME",
        help="the environment variable with the key (default ANTHROPIC_AUTH_TOKEN)",
    )
    replay.add_argument("--json", action="store_true", help="as a JSON document, with the new exchange")
    for name in ("models", "hooks", "hook_errors"):
        _add(replay, by_name[name])

    capture = commands.add_parser("capture", help="make something of a captured exchange", allow_abbrev=False)
    made = capture.add_subparsers(dest="made", metavar="WHAT", required=True)
    case = made.add_parser("to-case", help="write a case for the tests", allow_abbrev=False)
    case.add_argument("file", metavar="FILE", help="a file of serve --capture")
    case.add_argument("to", metavar="CASE.json", nargs="?", help="where to (default: standard output)")

    explain = commands.add_parser(
        "explain", help="show what a request becomes, without calling anyone", allow_abbrev=False
    )
    explain.add_argument("request", metavar="REQUEST.json", help="a Messages request; - reads standard input")
    explain.add_argument("--model", help="the model to send it to (default: the one it names)")
    explain.add_argument(
        "--class", dest="request_class", default="", choices=CLASSES, metavar="CLASS",
        help=f"the request class that Claude Code would name, for routes: {', '.join(CLASSES)}",
    )  # fmt: skip
    explain.add_argument("--diff", action="store_true", help="the differences instead of the whole request")
    explain.add_argument("--json", action="store_true", help="as a JSON document")
    for name in ("models", "hooks", "hook_errors"):
        _add(explain, by_name[name])

    docs = commands.add_parser("docs", help="read the documentation", allow_abbrev=False)
    docs.add_argument("page", metavar="PAGE", nargs="?", help="such as configuration; without one, a list")

    # The demo reads its own arguments, its --help included.
    commands.add_parser(
        "demo", help="run a conversation through the proxy", add_help=False, allow_abbrev=False
    )
    return parser


def _add(parser: argparse.ArgumentParser, setting: Setting) -> None:
    default = ServerSettings.default(setting.name)
    says = setting.help if default is None else f"{setting.help} (default {default})"
    says += f" [{setting.env}]"
    if setting.is_switch:
        parser.add_argument(setting.flag, dest=setting.name, nargs="?", const="yes", metavar="no", help=says)
    else:
        parser.add_argument(setting.flag, dest=setting.name, metavar=setting.metavar, help=says)


def _flags(options: argparse.Namespace) -> dict[str, str | None]:
    return {setting.name: getattr(options, setting.name, None) for setting in SETTINGS}


def _url_of(settings: ServerSettings) -> str:
    """Where a server with these settings listens."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104 - where to ask
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"
