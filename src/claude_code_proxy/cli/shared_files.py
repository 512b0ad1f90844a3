"""The manual pages and completion scripts that packages install, made from what the commands read themselves.

`python -m claude_code_proxy.cli.shared_files share` writes them below the folder `share`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from claude_code_proxy.cli.ccproxy.arguments import HELP
from claude_code_proxy.cli.ccproxy.commands.completion import script
from claude_code_proxy.cli.server_command.main import build_parser, commands_of
from claude_code_proxy.core.providers import PRESETS

_WIDTH = 100


def shared_files() -> dict[str, str]:
    """The text of each file by its path below `share`."""
    server = build_parser()
    return {
        "man/man1/ccproxy.1": _page(
            "ccproxy", "start Claude Code on any model provider", HELP, "claude-code-proxy"
        ),
        "man/man1/claude-code-proxy.1": _page(
            "claude-code-proxy", "Anthropic Messages for any model provider", _server_text(server), "ccproxy"
        ),
        "bash-completion/completions/ccproxy": script("bash"),
        "zsh/site-functions/_ccproxy": script("zsh"),
        "fish/vendor_completions.d/ccproxy.fish": script("fish"),
        "bash-completion/completions/claude-code-proxy": _server_bash(server),
        "fish/vendor_completions.d/claude-code-proxy.fish": _server_fish(server),
    }


def _flags(parser: argparse.ArgumentParser) -> list[str]:
    return [flag for action in parser._actions for flag in action.option_strings]  # noqa: SLF001


def _server_text(parser: argparse.ArgumentParser) -> str:
    def wide(prog: str) -> argparse.HelpFormatter:
        return argparse.RawDescriptionHelpFormatter(prog, width=_WIDTH)

    texts = []
    for part in (parser, *commands_of(parser).values()):
        part.formatter_class = wide
        if part.add_help:
            texts.append(part.format_help())
    return "\n".join(texts)


def _page(name: str, purpose: str, text: str, other: str) -> str:
    plain = text.replace("\\", "\\e").replace("-", "\\-")
    body = "\n".join(f"\\&{line}" if line.startswith((".", "'")) else line for line in plain.splitlines())
    providers = ", ".join(PRESETS)
    return (
        f".TH {name.upper()} 1\n.SH NAME\n{name} \\- {purpose}\n.SH SYNOPSIS\n.nf\n{body}\n.fi\n"
        f".SH PROVIDERS\nKnown by name: {providers}.\n.SH SEE ALSO\n.BR {other} (1)\n"
    )


def _server_bash(parser: argparse.ArgumentParser) -> str:
    cases = "\n".join(
        f'        {name}) words="{" ".join(_flags(part))}" ;;' for name, part in commands_of(parser).items()
    )
    return f"""\
_claude_code_proxy() {{
    local word="${{COMP_WORDS[COMP_CWORD]}}" words="{" ".join(commands_of(parser))} --help --version"
    [ "$COMP_CWORD" -gt 1 ] && case "${{COMP_WORDS[1]}}" in
{cases}
    esac
    [ "${{COMP_WORDS[COMP_CWORD-1]}}" = --provider ] && words="{" ".join(PRESETS)}"
    COMPREPLY=($(compgen -W "$words" -- "$word"))
}}
complete -o default -F _claude_code_proxy claude-code-proxy
"""


def _server_fish(parser: argparse.ArgumentParser) -> str:
    start = "complete -c claude-code-proxy"
    commands = commands_of(parser)
    lines = [f'{start} -f -n __fish_use_subcommand -a "{" ".join(commands)}"']
    for name, part in commands.items():
        seen = f'-n "__fish_seen_subcommand_from {name}"'
        lines += [f"{start} {seen} -l {flag[2:]}" for flag in _flags(part) if flag.startswith("--")]
    lines.append(f'{start} -n "__fish_seen_subcommand_from init" -a "{" ".join(PRESETS)}"')
    return "\n".join(lines) + "\n"


def write(folder: Path) -> None:
    """Write all files below `folder`."""
    for place, text in shared_files().items():
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
