"""One request to the service that a cloud has beside each of its machines: plain HTTP, never by a proxy."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from .source import CredentialError

_MOST = 1_000_000  # bytes of an answer


class Told(NamedTuple):
    """What the service answered."""

    status: int
    text: str

    @property
    def fields(self) -> dict[str, Any]:
        """The text as a JSON object; {} for what is none."""
        try:
            value = json.loads(self.text)
        except (ValueError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}


def ask_beside(
    url: str, headers: Mapping[str, str], *, method: str = "GET", seconds: float = 1.0, service: str
) -> Told | None:
    """The answer of the `service` at `url`, of whatever status; None where there is no such service.

    Raises a transient `CredentialError` when it is there and answers with nonsense or too late.
    """
    from http.client import HTTPConnection, HTTPException, HTTPSConnection

    parts = urlsplit(url)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=seconds)
    try:
        connection.connect()
    except OSError:
        return None
    try:
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.request(method, path, headers=dict(headers))
        response = connection.getresponse()
        return Told(response.status, response.read(_MOST).decode("utf-8", "replace"))
    except TimeoutError:
        raise CredentialError(f"{service} did not answer within {seconds:g} s", transient=True) from None
    except (OSError, HTTPException) as error:
        raise CredentialError(f"{service}: {error or type(error).__name__}", transient=True) from None
    finally:
        connection.close()
