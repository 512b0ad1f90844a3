"""One request to the service that a cloud has beside each of its machines: plain HTTP, never by a proxy."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from .issuer_http import Reply
from .source import CredentialError, object_of

_MOST = 1_000_000  # bytes of an answer


def ask_beside(
    url: str, headers: Mapping[str, str], *, method: str = "GET", seconds: float = 1.0, service: str
) -> Reply | None:
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
        raw = response.read(_MOST).decode("utf-8", "replace")
        return Reply(response.status, object_of(raw), raw)
    except TimeoutError:
        raise CredentialError(f"{service} did not answer within {seconds:g} s", transient=True) from None
    except (OSError, HTTPException) as error:
        raise CredentialError(f"{service}: {error or type(error).__name__}", transient=True) from None
    finally:
        connection.close()
