"""What an import makes: entries of cc-proxy.json, and in words what has no counterpart."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from claude_code_proxy.config import urls
from claude_code_proxy.config.cc_proxy_json.key_sources import parse_key
from claude_code_proxy.core import providers
from claude_code_proxy.core.providers.registry import provider_at
from claude_code_proxy.credentials.source import CredentialError

_REFERENCE = re.compile(r"(?:\$\{?|os\.environ/|\{env:)(?P<name>[A-Za-z_][A-Za-z0-9_]*)\}?")
_UNSAFE = re.compile(r"[^\w.-]+")


@dataclass(slots=True)
class Imported:
    """Entries of cc-proxy.json by name; `default` is one of them; `notes` are for a person, one line each."""

    entries: dict[str, dict[str, Any]] = field(default_factory=dict)
    default: str = ""
    notes: list[str] = field(default_factory=list)

    def add(self, name: str, entry: Mapping[str, Any]) -> str:
        """Take an entry, without its empty values, under this name or one like it; returns the name."""
        plain = _UNSAFE.sub("-", name.strip()).strip("-").lower() or "provider"
        unique, number = plain, 1
        while unique in self.entries:
            number += 1
            unique = f"{plain}-{number}"
        self.entries[unique] = {key: value for key, value in entry.items() if value}
        return unique

    def lacks(self, what: str, why: str) -> None:
        """Note that `what` has no counterpart."""
        self.notes.append(f"not taken: {what}: {why}")

    def key(self, name: str, value: object, base_url: str, env: Mapping[str, str]) -> str | None:
        """`auth_key` for a key as other programs write it; None where there is none that can be used.

        It becomes `env:` where it names a variable, or where one has the same value.
        """
        text = str(value or "").strip()
        reference = _REFERENCE.fullmatch(text)
        if reference is not None:
            return f"env:{reference['name']}"
        known = providers.PRESETS.get(provider_at(base_url) or "")
        usual = known.key_variables if known is not None else ()
        holding = next((variable for variable in (*usual, *env) if text and env.get(variable) == text), None)
        if holding is not None:
            return f"env:{holding}"
        try:
            parse_key(text)
        except CredentialError as error:
            self.lacks(f"the key of {name}", str(error))
            return f"env:{usual[0]}" if usual else None
        self.notes.append(
            f"the key of {name} is written in the file; safer: env:{usual[0] if usual else 'NAME'}"
        )
        return text


def base_of(url: str) -> str:
    """The base of an address that may be a whole endpoint; "" for what is none."""
    try:
        urls.check(url)
    except urls.BadUrl:
        return ""
    return url.rstrip("/").removesuffix("/chat/completions").removesuffix("/responses").rstrip("/")
