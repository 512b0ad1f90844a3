"""Who may ask: no web page of somebody else's, and for some paths this machine or an admin only.

A page in a browser on this machine reaches what listens here: by a request across origins (`Origin` and
`Sec-Fetch-Site` say so), or by a name of its own that resolves to a loopback address (`Host` says so).
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import urlsplit

from claude_code_proxy.config.settings import ServerSettings
from claude_code_proxy.core.errors.api import ApiError
from claude_code_proxy.core.hosts import is_loopback
from claude_code_proxy.server.caller.auth import bearer_token
from claude_code_proxy.server.caller.call import Call
from claude_code_proxy.server.caller.peer_user import may_be_ours
from claude_code_proxy.server.caller.token_file import TokenFile

ADMIN_HEADER = "x-proxy-admin-token"
UPSTREAM_KEY = "x-upstream-key"
"""The client's header with the provider's key, where the usual ones have a token of this server's own."""
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253})(?::[0-9]{1,5})?")
_FORWARDED = ("x-forwarded-for", "forwarded", "x-real-ip", "via")
_FOREIGN = ("cross-site", "same-site")
_QUOTED = 60


class Access:
    """The rules of one server. Raises `ConfigError` for a bad file of tokens."""

    def __init__(self, settings: ServerSettings) -> None:
        self._host = settings.host.lower()
        self._allowed = frozenset(settings.allowed_hosts)
        self._remote = settings.allow_remote
        self._admins = TokenFile(settings.admin_tokens) if settings.admin_tokens else None
        self._clients = TokenFile(settings.client_tokens) if settings.client_tokens else None
        self._is_known = lru_cache(maxsize=256)(self._knows)

    def check(self, call: Call) -> None:
        """Refuse what a web page of somebody else's sends. Raises `ApiError` 403."""
        headers = call.headers
        host = headers.get("host")
        if host is not None and not self._is_known(host):
            raise _refused(
                f"this server is not called {_quoted(host)}; --allowed-hosts adds names to its own"
            )
        origin = headers.get("origin")
        if origin is not None:
            if not self._may_come_from(origin, host or ""):
                raise _refused(
                    f"web pages of {_quoted(origin)} may not ask this server; --allowed-hosts lets them"
                )
        elif headers.get("sec-fetch-site") in _FOREIGN:
            raise _refused("a web page of another site may not ask this server")

    def check_client(self, call: Call) -> None:
        """Refuse who has no token, where one is needed, and put the provider's key in its place.

        Raises `ApiError` 401. The token goes no further.
        """
        if self._clients is None:
            return
        headers = call.headers
        names = [name for name in ("authorization", "x-api-key") if name in headers]
        sent = [bearer_token(headers), headers.get("x-api-key", "").strip()]
        if not any(token and token in self._clients for token in sent):
            raise ApiError(
                401,
                "authentication_error",
                "this server needs its own token as `Authorization: Bearer TOKEN` or `x-api-key: TOKEN`, "
                f"and the provider's key as `{UPSTREAM_KEY}: KEY` (Claude Code: ANTHROPIC_CUSTOM_HEADERS)",
                headers={"x-should-retry": "false"},
            )
        for name in names:
            del headers[name]
        if key := headers.pop(UPSTREAM_KEY, "").strip():
            headers["x-api-key" if names == ["x-api-key"] else "authorization"] = (
                key if names == ["x-api-key"] else f"Bearer {key}"
            )

    def check_admin(self, call: Call) -> None:
        """Refuse who is neither on this machine nor an admin. Raises `ApiError` 403."""
        if not is_local(call) and not self.is_admin(call):
            raise _refused(
                f"{call.path[:_QUOTED]} answers callers on the server's own machine, and others with an "
                f"admin token in {ADMIN_HEADER} (server setting admin_tokens)"
            )

    def is_admin(self, call: Call) -> bool:
        """Whether the caller has an admin's token."""
        token = call.headers.get(ADMIN_HEADER, "")
        return self._admins is not None and bool(token) and token in self._admins

    def check_owner(self, call: Call) -> None:
        """Refuse who is neither this server's user, here, nor an admin: 403. Reads files."""
        if not self.may_read_content(call):
            raise _refused(f"{call.path[:_QUOTED]} answers the user who runs this server, and admins")

    def may_read_content(self, call: Call) -> bool:
        """Whether to show what others said: to an admin, and here to this server's user. Not for the loop."""
        return self.is_admin(call) or (is_local(call) and may_be_ours(*call.ports))

    def _knows(self, host: str) -> bool:
        """Whether a `Host` is one that nobody else can point at this server."""
        found = _HOST.fullmatch(host)
        if found is None:
            return False
        name = found[1].strip("[]").rstrip(".").lower()
        if name in self._allowed or "*" in self._allowed or name == self._host or is_loopback(name):
            return True
        # A bare name is found on networks and in containers of our own only, where we were asked to listen.
        return _is_address(name) or (self._remote and "." not in name)

    def _may_come_from(self, origin: str, host: str) -> bool:
        try:
            parts = urlsplit(origin)
            name = parts.hostname
        except ValueError:
            return False
        if parts.netloc and parts.netloc.lower() == host.lower():
            return True
        return "*" in self._allowed or (name or origin).lower() in self._allowed


def is_local(call: Call) -> bool:
    """Whether the caller is a process on this machine, and not a proxy that speaks for others."""
    return is_loopback(call.peer) and not any(name in call.headers for name in _FORWARDED)


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _refused(message: str) -> ApiError:
    return ApiError(403, "permission_error", message, headers={"x-should-retry": "false"})


def _quoted(text: str) -> str:
    return repr(text if len(text) <= _QUOTED else text[:_QUOTED] + "...")
