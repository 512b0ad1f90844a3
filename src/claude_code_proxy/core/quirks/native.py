"""What the known Anthropic-format endpoints cannot bear (they get everything else byte for byte)."""

from __future__ import annotations

from urllib.parse import urlsplit

from claude_code_proxy.core.profile import NativeProfile

_ROWS: dict[str, NativeProfile] = {row.name: row for row in (NativeProfile(),)}


def native_for(api_base: str, name: str | None = None) -> NativeProfile:
    """The needs of the Anthropic-format endpoint at `api_base`; a row that changes nothing when unknown."""
    key = name if name is not None else (urlsplit(api_base).hostname or "")
    return _ROWS.get(key, _ROWS["custom"])
