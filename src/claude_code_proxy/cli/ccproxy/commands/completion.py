"""`ccproxy completion`: scripts for three shells, made from the lists that the commands themselves use."""

from __future__ import annotations

from claude_code_proxy.cli.ccproxy.arguments import COMMANDS, Command, UsageError
from claude_code_proxy.core.providers import PRESETS
from claude_code_proxy.credentials.logins import LOGINS

_OPTIONS = ("-P", "--provider", "-C", "--config", "--dry-run", "--direct", "-h", "--help", "-v", "--version")
_AFTER = {
    "completion": "bash zsh fish",
    "config": "show",
    "doctor": "--offline --json --write --timeout",
    "env": "--shell --show-key --json",
    "accounts": "--json",
    "import": "ccr cc-switch litellm",
    "login": " ".join((*LOGINS, "--client-id")),
    "logout": " ".join(LOGINS),
    "logs": "--list --follow",
    "usage": "--by --since --json",
}
"""What may follow a command, beside the names of providers."""
_KNOWN = " ".join(PRESETS)
_NAMES = 'ccproxy list --json 2>/dev/null | sed -n \'s/^      "name": "\\(.*\\)",$/\\1/p\''
"""Prints the names of the providers; needs nothing but sed."""

_BASH = """\
_ccproxy() {{
    local word="${{COMP_WORDS[COMP_CWORD]}}" before="${{COMP_WORDS[COMP_CWORD-1]}}"
    case "$before" in
        -P|--provider|use|remove) COMPREPLY=($(compgen -W "$({names})" -- "$word")) ;;
        add|init) COMPREPLY=($(compgen -W "{known}" -- "$word")) ;;
        models) COMPREPLY=($(compgen -W "$({names}) {known}" -- "$word")) ;;
        -C|--config) COMPREPLY=($(compgen -f -- "$word")) ;;
{after}
        *) COMPREPLY=($(compgen -W "{words}" -- "$word")) ;;
    esac
}}
complete -o default -F _ccproxy ccproxy
"""

_ZSH = """\
#compdef ccproxy
_ccproxy() {{
    case "${{words[CURRENT-1]}}" in
        -P|--provider|use|remove) compadd -- ${{(f)"$({names})"}} ;;
        add|init) compadd -- {known} ;;
        models) compadd -- ${{(f)"$({names})"}} {known} ;;
        -C|--config) _files ;;
{after}
        *) compadd -- {words} ;;
    esac
}}
compdef _ccproxy ccproxy
"""

_FISH = """\
function __ccproxy_names
    {names}
end
complete -c ccproxy -f -n __fish_use_subcommand -a "{commands}"
complete -c ccproxy -x -s P -l provider -a "(__ccproxy_names)"
complete -c ccproxy -x -n "__fish_seen_subcommand_from use remove models" -a "(__ccproxy_names)"
complete -c ccproxy -x -n "__fish_seen_subcommand_from add init models" -a "{known}"
{after}
complete -c ccproxy -r -s C -l config
complete -c ccproxy -l dry-run
complete -c ccproxy -l direct
complete -c ccproxy -s h -l help
complete -c ccproxy -s v -l version
"""

_SCRIPTS = {
    "bash": (_BASH, '        {command}) COMPREPLY=($(compgen -W "{words}" -- "$word")) ;;'),
    "zsh": (_ZSH, "        {command}) compadd -- {words} ;;"),
    "fish": (_FISH, 'complete -c ccproxy -x -n "__fish_seen_subcommand_from {command}" -a "{words}"'),
}
"""By shell: its script, and the line in it for each command of `_AFTER`."""


def script(shell: str) -> str:
    """The completion script for a shell. Raises `KeyError` for an unknown one."""
    text, line = _SCRIPTS[shell]
    after = "\n".join(line.format(command=command, words=words) for command, words in _AFTER.items())
    words = " ".join((*COMMANDS, *_OPTIONS))
    return text.format(names=_NAMES, words=words, commands=" ".join(COMMANDS), known=_KNOWN, after=after)


def print_script(command: Command) -> int:
    """Print the completion script for one shell. Raises `UsageError`."""
    if len(command.arguments) != 1 or command.arguments[0] not in _SCRIPTS:
        raise UsageError(f"completion takes {', '.join(_SCRIPTS)}")
    print(script(command.arguments[0]), end="")
    return 0
