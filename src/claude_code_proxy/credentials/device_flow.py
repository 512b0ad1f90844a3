"""OAuth's device flow (RFC 8628), as github.com has it: errors come with status 200."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from .issuer_http import ask
from .source import CredentialError, checked

_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_SLOWER = 5.0  # seconds that `slow_down` adds where it names no interval


class DeviceApp(NamedTuple):
    """An application at an issuer, for which a user can log in."""

    issuer: str
    client_id: str
    scope: str
    retry: str
    """The command that begins again."""


def log_in(app: DeviceApp, tell: Callable[[str], None], sleep: Callable[[float], None] = time.sleep) -> str:
    """The token of the user who enters the code that `tell` says. Raises `CredentialError`."""
    asked = ask(f"{app.issuer}/login/device/code", as_form={"client_id": app.client_id, "scope": app.scope})
    device, code, page = (asked.text(name) for name in ("device_code", "user_code", "verification_uri"))
    if not (device and code and page):
        raise CredentialError(
            f"{app.issuer} begins no login: {_said(asked.text('error'), asked.status)}", app.retry
        )
    left = asked.number("expires_in") or 900.0
    interval = max(asked.number("interval") or _SLOWER, 0.01)
    tell(f"open {page} and enter {code}")
    form = {"client_id": app.client_id, "device_code": device, "grant_type": _GRANT}
    while left > 0:
        sleep(interval)
        left -= interval
        try:
            reply = ask(f"{app.issuer}/login/oauth/access_token", as_form=form)
        except CredentialError as error:
            if not error.transient:
                raise
            continue  # the code is good for a while yet
        if token := reply.text("access_token"):
            return checked(token)
        refusal = reply.text("error")
        if refusal == "slow_down":
            interval = max(interval + _SLOWER, reply.number("interval") or 0.0)
        elif refusal == "access_denied":
            raise CredentialError("the login was refused on the page", app.retry)
        elif refusal == "expired_token":
            break
        elif refusal != "authorization_pending":
            raise CredentialError(f"{app.issuer}: {_said(refusal, reply.status)}", app.retry)
    raise CredentialError("the code was not entered in time", app.retry)


def _said(error: str, status: int) -> str:
    return error or f"it answered {status}"
