"""One request to an issuer of tokens, with the standard library: it is rare, and runs in a thread."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from .source import CredentialError, object_of

SECONDS = 15.0
"""The longest wait for an issuer."""
_MOST = 2_000_000  # bytes of an answer
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Reply(NamedTuple):
    """What an issuer answered; `body` is {} where it was no JSON object, `raw` its text for `ask_beside`."""

    status: int
    body: dict[str, Any]
    raw: str = ""

    def text(self, *path: str) -> str:
        """The text at `path` of the body, "" where there is none."""
        value: Any = self.body
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        return value if isinstance(value, str) else ""

    def number(self, name: str) -> float | None:
        """The number `name` of the body, some issuers write it as a text; None where there is none."""
        value = self.body.get(name)
        try:
            number = float(value) if isinstance(value, int | float | str) else math.nan
        except (ValueError, OverflowError):
            return None
        return number if math.isfinite(number) else None


def ask(
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    as_json: Mapping[str, Any] | None = None,
    as_form: Mapping[str, str] | None = None,
    seconds: float = SECONDS,
    issuer: str = "",
) -> Reply:
    """A GET of `url`, or a POST of a body; the answer of any status below 500. Follows no redirect.

    Raises a transient `CredentialError` that names the `issuer` when no such answer comes in time.
    """
    from http.client import HTTPException
    from urllib.error import HTTPError
    from urllib.request import HTTPRedirectHandler, Request, build_opener

    class NoRedirects(HTTPRedirectHandler):
        def redirect_request(self, *_: Any) -> None:
            """A token must not follow where it was not sent."""

    parts = urlsplit(url)
    if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
        raise CredentialError(f"{parts.hostname} is asked over https only")
    issuer = issuer or parts.hostname or url
    sent = {"Accept": "application/json", **(headers or {})}
    data = None
    if as_json is not None:
        data, sent["Content-Type"] = json.dumps(as_json).encode(), "application/json"
    elif as_form is not None:
        data, sent["Content-Type"] = urlencode(as_form).encode(), "application/x-www-form-urlencoded"
    try:
        request = Request(url, data=data, headers=sent)  # noqa: S310 - the scheme was looked at above
        with build_opener(NoRedirects).open(request, timeout=seconds) as response:
            status, raw = response.status, response.read(_MOST)
    except HTTPError as error:
        with error:
            status, raw = error.code, _rest_of(error)
    except TimeoutError:
        raise CredentialError(f"{issuer} did not answer within {seconds:g} s", transient=True) from None
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        if isinstance(reason, TimeoutError):
            reason = f"no answer within {seconds:g} s"
        raise CredentialError(f"{issuer} cannot be reached: {reason}", transient=True) from None
    if status >= 500 or status == 429:
        raise CredentialError(f"{issuer} answered {status}", "try again later", transient=True)
    return Reply(status, object_of(raw))


def _rest_of(error: Any) -> bytes:
    from http.client import HTTPException

    try:
        return bytes(error.read(_MOST))
    except (OSError, HTTPException):
        return b""
