"""What is kept of an exchange holds no key: of headers a list of harmless ones, of bodies all but keys."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from urllib.parse import quote

from claude_code_proxy.core import sealed_keys, wire
from claude_code_proxy.core.errors.masking import key_spans

_HARMLESS = (
    "accept", "anthropic-beta", "anthropic-version", "content-type", "request-id", "retry-after",
    "user-agent", "x-app", "x-claude-code-*", "x-proxy-notices", "x-proxy-report", "x-proxy-upstream-model",
    "x-request-id", "x-should-retry", "x-stainless-*", "x-upstream-request-id",
)  # fmt: skip
"""Names of headers that are kept; any other may hold what nobody should see."""
_SECRET = re.compile(r"auth|key|token|secret|cookie|credential|password")
_SCHEME = re.compile(r"(?:bearer|basic|token) +", re.IGNORECASE)
_SHAPES = re.compile(
    r"(?<![A-Za-z0-9_-])(?:"
    r"(?:sk|rk|pk|xai|gsk|nvapi|fw|pplx|csk)[-_][A-Za-z0-9_-]{16,}"
    r"|AIza[A-Za-z0-9_-]{30,}|gh[opsur]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{30,}|glpat-[A-Za-z0-9_-]{16,}"
    r"|hf_[A-Za-z0-9]{30,}|AKIA[A-Z0-9]{16}|xox[abprs]-[A-Za-z0-9-]{10,}|ya29\.[A-Za-z0-9_-]{20,}"
    r")"
)
"""How keys of well-known services look, whoever sent them."""


def harmless(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The headers that may be kept, by lower-case name."""
    named = ((name.lower(), value) for name, value in headers)
    return {name: value for name, value in named if any(fnmatchcase(name, shape) for shape in _HARMLESS)}


class KeyMasks:
    """Hides the keys that came or went in headers, and whatever looks like one."""

    def __init__(self) -> None:
        self._keys: set[str] = set()

    def learn(self, headers: Iterable[tuple[str, str]]) -> None:
        """Remember the keys in `headers`."""
        for name, value in headers:
            if name.lower() == sealed_keys.HEADER:
                try:
                    self._keys.update(sealed_keys.unseal(value).values())
                except ValueError:
                    self._keys.add(value)
            elif _SECRET.search(name.lower()):
                self._keys.add(_SCHEME.sub("", value.strip(), count=1))

    def add(self, keys: Iterable[str]) -> None:
        """Remember `keys`."""
        self._keys.update(keys)

    def hide(self, data: bytes) -> bytes:
        """`data` with stars in the place of keys: as many bytes, and JSON where it was JSON."""
        # Byte by byte as text, so that places in the text are places in the bytes.
        text = data.decode("latin-1")
        spans = [found.span() for found in _SHAPES.finditer(text)]
        for key in self._keys:
            for form in {key, wire.dumps_text(key)[1:-1], quote(key, safe="")}:
                spans += key_spans(text, form.encode("utf-8", "replace").decode("latin-1"))
        if not spans:
            return data
        hidden = bytearray(data)
        for start, end in spans:
            hidden[start:end] = b"*" * (end - start)
        return bytes(hidden)
