"""The command line of `ccproxy`: its own options, its commands, and what is for Claude Code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

HELP = """\
usage: ccproxy [-P PROVIDER] [-C FILE] [--dry-run] [--direct] [--] [Claude Code's own arguments]
       ccproxy [-P PROVIDER] [-C FILE] COMMAND

Start Claude Code on a provider.

  ccproxy                          the only provider of the file, or its default
  ccproxy -P deepseek              this provider
  ccproxy -P deepseek -p "hello"   everything else goes to claude, unchanged and in order
  ccproxy -- --help                claude's own help: -- ends ccproxy's options
  ccproxy init                     write the file from the keys in the environment, or ask
  ccproxy doctor -P deepseek       find out what is wrong, and how to fix it

commands:
  list [--json]                    the configured providers
  use NAME                         make this provider the default
  add NAME [--key SOURCE] [--url URL] [--model MODEL]
                                   add a provider; known names need no URL, and most no model
  remove NAME                      take a provider out of the file
  models [NAME] [WORDS] [--json]   what a provider offers, and how large the windows are
  import [ccr|cc-switch|litellm] [FILE] [--dry-run]
                                   take the providers of another program
  edit                             open the file in $VISUAL or $EDITOR, and check it afterwards
  env [--shell bash|zsh|fish|json] [--show-key]
                                   what a session sets; eval it to start claude by yourself
  doctor [--offline] [--json] [--write] [--timeout SECONDS]
                                   check files, settings, claude, the provider; --write what it learned
  init [NAME ...] [--model MODEL] [--force]
                                   write the file
  login NAME [--client-id ID]      use a login in place of a key: codex, copilot
  logout NAME, accounts [--json]   forget it; who is logged in, and until when
  logs [--list] [--follow]         the log of the newest session's own proxy
  ui                               the addresses of the pages that show running sessions
  statusline                       the line below Claude Code's prompt; sessions have it by themselves
  usage [--by model] [--since 7d] [--json]
                                   tokens of the past days
  config show [--origin]           what a session goes by, and where it is said
  completion bash|zsh|fish         a completion script for your shell
  version                          of ccproxy and of claude

options:
  -P, --provider NAME   the provider [CCPROXY_PROVIDER]
  -C, --config FILE     the providers file (default ~/.config/llm/cc-proxy.json)
  --dry-run             show what would be run and set, without the keys
  --direct              let Claude Code have the key and reach an Anthropic endpoint by itself
  -h, --help            this text
  -v, --version         of ccproxy and of claude
  CCPROXY_KEY_TIMEOUT=S (variable) seconds for a cmd: that tells a key (default 60)
  CCPROXY_LOG=FILE      (variable) where a session's own proxy writes its log, in place of ccproxy logs

the file (comments allowed; mode 0600 where keys are written in it):
  {
    "deepseek": {
      "base_url": "https://api.deepseek.com",  // or a running claude-code-proxy
      "auth_key": "env:DEEPSEEK_API_KEY",      // or cmd:..., file:..., login:..., or the key
      "model": "deepseek-v4-pro",
      "small_model": "groq/openai/gpt-oss-20b", // PROVIDER/MODEL: a model of another provider
      "fallback": ["groq/openai/gpt-oss-120b"],
      "default": true
    }
  }
More keys: ANTHROPIC_DEFAULT_{OPUS,SONNET,HAIKU,FABLE}_MODEL, CLAUDE_CODE_SUBAGENT_MODEL, context, max_tokens,
format, profile, keyless, routes, safety_model, CLAUDE_CODE_AUTO_MODE_MODEL,
skipWebFetchPreflight.

exit codes: claude's own, and before it starts
  1 failed    2 wrong usage    78 the configuration is wrong    126 claude cannot be run
  127 claude is not installed
"""

FUNCTIONS = {
    "list": "commands.listing.list_providers", "use": "commands.editing.use", "add": "commands.adding.add",
    "remove": "commands.editing.remove", "edit": "commands.editing.edit",
    "env": "commands.session_variables.show_environment", "doctor": "doctor.run_checks.run",
    "init": "commands.adding.init", "models": "commands.model_listing.list_models",
    "logs": "commands.session_records.logs", "ui": "commands.session_records.pages",
    "statusline": "commands.session_records.status_line", "usage": "commands.session_records.usage",
    "config": "commands.shown_config.show_config", "completion": "commands.completion.print_script",
    "version": "commands.versions.show_versions",
    "import": "commands.importing.import_providers", "login": "commands.accounts.log_in",
    "logout": "commands.accounts.log_out", "accounts": "commands.accounts.list_accounts",
}  # fmt: skip
"""What does each: imported when it is asked for, it takes a `Command` and returns an exit code."""
COMMANDS = (*FUNCTIONS, "help")


class UsageError(Exception):
    """The command line makes no sense; the text says why."""


@dataclass(slots=True)
class CommandLine:
    """What `ccproxy` was asked to do; `rest` is for the command, or for Claude Code."""

    provider: str | None = None
    config: Path | None = None
    dry_run: bool = False
    direct: bool = False
    help: bool = False
    version: bool = False
    rest: list[str] = field(default_factory=list)
    ended: bool = False
    """A `--` closed ccproxy's own options before anything for Claude Code."""

    @property
    def command(self) -> str | None:
        """The command of ccproxy's own; None: start Claude Code."""
        return self.rest[0] if self.rest and not self.ended and self.rest[0] in COMMANDS else None


_VALUED = {"-P": "provider", "--provider": "provider", "-C": "config", "--config": "config"}


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
        elif argument == "--direct":
            line.direct = True
        elif argument in ("-h", "--help") and (not line.rest or line.command):
            line.help = True
        elif argument in ("-v", "--version") and not line.rest:
            line.version = True
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


class Command(NamedTuple):
    """One of ccproxy's own commands. `provider` is whom the user named, `path` the providers file."""

    name: str
    arguments: Sequence[str]
    provider: str | None
    path: Path
    env: Mapping[str, str]
    dry_run: bool = False

    def take(self, flags: Sequence[str] = (), valued: Sequence[str] = ()) -> tuple[list[str], dict[str, str]]:
        """The plain arguments and the options: `flags` stand alone ("" each), `valued` take a value.

        Raises `UsageError`.
        """
        plain: list[str] = []
        options: dict[str, str] = {}
        given = iter(self.arguments)
        for argument in given:
            option, equals, value = argument.partition("=")
            if option in valued:
                text = value if equals else next(given, "")
                if not text:
                    raise UsageError(f"{self.name}: {option} needs a value")
                options[option] = text
            elif argument in flags:
                options[argument] = ""
            elif argument.startswith("-"):
                known = ", ".join((*flags, *valued)) or "no options"
                raise UsageError(f"{self.name} takes {known}, not {argument}")
            else:
                plain.append(argument)
        return plain, options
