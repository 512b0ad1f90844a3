"""`ccproxy completion`: scripts for three shells, made from the lists that the commands themselves use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from claude_code_proxy.cli.ccproxy.arguments import COMMANDS, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

_OPTIONS = ("-P", "--provider", "-C", "--config", "--dry-run", "-h", "--help")
_NAMES = 'ccproxy list --json 2>/dev/null | sed -n \'s/^      "name": "\\(.*\\)",$/\\1/p\''
"""Prints the names of the providers; needs nothing but sed."""

_BASH = """\
_ccproxy() {{
    local word="${{COMP_WORDS[COMP_CWORD]}}" before="${{COMP_WORDS[COMP_CWORD-1]}}"
    case "$before" in
        -P|--provider|use) COMPREPLY=($(compgen -W "$({names})" -- "$word")) ;;
        -C|--config) COMPREPLY=($(compgen -f -- "$word")) ;;
        completion) COMPREPLY=($(compgen -W "bash zsh fish" -- "$word")) ;;
        *) COMPREPLY=($(compgen -W "{words}" -- "$word")) ;;
    esac
}}
complete -o default -F _ccproxy ccproxy
"""

_ZSH = """\
#compdef ccproxy
_ccproxy() {{
    case "${{words[CURRENT-1]}}" in
        -P|--provider|use) compadd -- ${{(f)"$({names})"}} ;;
        -C|--config) _files ;;
        completion) compadd bash zsh fish ;;
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
complete -c ccproxy -x -n "__fish_seen_subcommand_from use" -a "(__ccproxy_names)"
complete -c ccproxy -x -n "__fish_seen_subcommand_from completion" -a "bash zsh fish"
complete -c ccproxy -r -s C -l config
complete -c ccproxy -l dry-run
complete -c ccproxy -s h -l help
"""

_SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}


def print_script(arguments: Sequence[str]) -> int:
    """Print the completion script for one shell. Raises `UsageError`."""
    if len(arguments) != 1 or arguments[0] not in _SCRIPTS:
        raise UsageError(f"completion takes {', '.join(_SCRIPTS)}")
    words = " ".join((*COMMANDS, *_OPTIONS))
    print(_SCRIPTS[arguments[0]].format(names=_NAMES, words=words, commands=" ".join(COMMANDS)), end="")
    return 0
