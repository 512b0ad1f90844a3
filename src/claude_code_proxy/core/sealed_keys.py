"""The keys of one client session, each for one upstream address, in one request header.

A client that uses several providers in one conversation cannot say in `Authorization` which key is for whom.
This header can: base64url of a JSON object `{api_base: key}`. Where it is there, nothing else counts.
"""

from __future__ import annotations

from collections.abc import Mapping

from . import wire

HEADER = "x-ccproxy-keys"


def seal(keys: Mapping[str, str]) -> str:
    """The header's value for `keys` by `api_base`."""
    return wire.to_base64url(dict(keys))


def unseal(value: str) -> dict[str, str]:
    """The keys by `api_base`. Raises `ValueError`, which does not quote the value."""
    try:
        keys = wire.from_base64url(value.strip())
    except ValueError:
        raise ValueError("not base64url of JSON") from None
    if not isinstance(keys, dict) or not all(isinstance(key, str) and key for key in keys.values()):
        raise ValueError("not an object of api_base and key")
    return keys
