"""The checks of `ccproxy doctor` of where keys come from: age, end, renewal, what the vendor says of it."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping

from claude_code_proxy.cli.ccproxy.doctor.checks import FAIL, OK, WARN, Check
from claude_code_proxy.config.cc_proxy_json.providers_file import Provider
from claude_code_proxy.credentials.account import claims
from claude_code_proxy.credentials.factory import RENEWED
from claude_code_proxy.credentials.key_file import full_path
from claude_code_proxy.credentials.logins import make_login
from claude_code_proxy.credentials.source import Credential, CredentialError

_SOON = 600.0
"""Seconds: a key that ends within these and is not renewed ends in the session."""
_HOW = {"keyring": "read again", "file": "read again when it changes", "cmd": "run again"}


def check_credential(
    provider: Provider, credential: Credential, env: Mapping[str, str], *, offline: bool
) -> Check:
    """What is known of the key of `provider`; a login asks its vendor, but for `offline`."""
    source = provider.key
    told = [f"{provider.name}: {source.shown.replace('(hidden)', 'in the file')}"]
    if source.kind == "none":
        return Check("key", OK, told[0])
    if source.kind == "login" and not offline:
        try:
            account = make_login(source.value, env).account()
        except CredentialError as error:
            state = WARN if error.transient else FAIL
            return Check("key", state, f"{told[0]}: {error}", error.hint)
        told += [text for text in (account.who, account.told, f"by {account.place}") if text]
    if source.kind == "file":
        age = time.time() - full_path(source.value, env).stat().st_mtime
        told.append(f"written {_span(age)} ago")
    end = credential.expires_at or _end_of(credential.token)
    renewed = source.kind in RENEWED
    if end is not None:
        left = end - time.time()
        told.append(f"good for {_span(left)}" if left > 0 else f"it ended {_span(-left)} ago")
        if left < _SOON and not renewed:
            fix = 'let a command tell it: "auth_key": "cmd:ttl=50m COMMAND"'
            return Check("key", FAIL if left <= 0 else WARN, ", ".join(told), fix)
    when = "in time" if credential.expires_at is not None else "after a refusal"
    told.append(f"{_HOW.get(source.kind, 'renewed')} {when}" if renewed else "not renewed")
    if source.kind == "file":
        told[-1] = _HOW["file"]
    return Check("key", OK, ", ".join(told))


def _end_of(token: str) -> float | None:
    """When a token ends that says so itself."""
    end = claims(token).get("exp")
    return float(end) if isinstance(end, int | float) and math.isfinite(end) else None


def _span(seconds: float) -> str:
    """About how long, for people."""
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"
