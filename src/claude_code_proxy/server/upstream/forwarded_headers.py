"""Which headers cross the proxy, and which end here."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

from claude_code_proxy import __version__
from claude_code_proxy.config.models_yaml.model import ModelConfig
from claude_code_proxy.core import sealed_keys
from claude_code_proxy.core.errors.rate_limits import REQUEST_IDS
from claude_code_proxy.core.header_values import listed
from claude_code_proxy.core.report import Report
from claude_code_proxy.http1 import Headers
from claude_code_proxy.server.caller.access import ADMIN_HEADER, UPSTREAM_KEY
from claude_code_proxy.server.caller.auth import bearer_token
from claude_code_proxy.server.caller.call import HeaderList

USER_AGENT = f"claude-code-proxy/{__version__}"

SEARCH_KEY = "x-search-key"
"""The client's header with its key for the search service, for that service only."""

STREAM: HeaderList = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),  # nginx in front of us would otherwise collect events
]

# RFC 9110 7.6.1, and what proxies commonly treat alike.
_HOP_BY_HOP = frozenset(
    (
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    )
)
_REQUEST_ENDS_HERE = _HOP_BY_HOP | {
    # made anew for the upstream connection
    "host",
    "content-length",
    "content-encoding",
    "accept-encoding",
    "authorization",
    "x-api-key",
    "api-key",
    sealed_keys.HEADER,
    # meant for this proxy, or about the network in front of it
    "expect",
    "cookie",
    "x-proxy-report",
    ADMIN_HEADER,
    UPSTREAM_KEY,
    SEARCH_KEY,
    "forwarded",
    "via",
    "x-real-ip",
}
# The body is handed on decompressed and perhaps with another model name; the rest the server writes itself.
_RESPONSE_ENDS_HERE = _HOP_BY_HOP | {"content-length", "content-encoding", "date", "server", "set-cookie"}


_FOR_A_STREAM, _FOR_A_WHOLE = (
    Headers(
        {
            "Content-Type": "application/json",
            "Accept": accepted,
            "Accept-Encoding": "identity",
            "User-Agent": USER_AGENT,
        }
    )
    for accepted in ("text/event-stream", "application/json")
)


def converted_request(config: ModelConfig, key: str, *, stream: bool) -> Headers:
    """Headers for an upstream of another protocol: nothing of the client's but its key."""
    headers = (_FOR_A_STREAM if stream else _FOR_A_WHOLE).copy()
    if config.extra_headers:
        _put_configured(headers, config)
    _put_key(headers, config.profile.auth, key)
    return headers


def native_request(
    raw_headers: HeaderList, sent: Mapping[str, str], config: ModelConfig, key: str, report: Report
) -> Headers:
    """Headers for an upstream of the client's own protocol: all that is end to end, in order.

    `raw_headers` are the client's, `sent` the same by lower-case name. The key goes on in the form in which
    it came (both, if it came in both) unless the entry says otherwise.
    """
    ends_here = _REQUEST_ENDS_HERE | _named_by_connection(sent.get("connection", ""))
    headers = Headers()
    for raw_name, raw_value in raw_headers:
        name = raw_name.decode("latin-1")
        if name in ends_here or name.startswith("x-forwarded-"):
            continue
        value = raw_value.decode("latin-1")
        if name == "anthropic-beta" and config.native.drop_betas:
            value = _without_betas(value, config.native.drop_betas, report)
            if not value:
                continue
        headers.add(name, value)
    headers["Accept-Encoding"] = "identity"
    headers.setdefault("Content-Type", "application/json")
    headers.setdefault("User-Agent", USER_AGENT)
    _put_configured(headers, config)
    if config.native.auth != "as_sent":
        _put_key(headers, config.native.auth, key)
        return headers
    if token := bearer_token(sent):
        headers["Authorization"] = f"Bearer {token}"
    if key := sent.get("x-api-key", "").strip():
        headers["x-api-key"] = key
    return headers


def put_headers(headers: Headers, further: Mapping[str, str]) -> None:
    """Set what the upstream's profile wants, but for what the entry sets itself."""
    for name, value in further.items():
        headers.setdefault(name, value)


def native_response(upstream: Headers) -> HeaderList:
    """An upstream's response headers as they go on to the client."""
    ends_here = _RESPONSE_ENDS_HERE | _named_by_connection(upstream.get("connection") or "")
    return [
        (name.lower().encode("latin-1", "replace"), value.encode("latin-1", "replace"))
        for name, value in upstream.items()
        if name.lower() not in ends_here
    ]


def upstream_request_id(headers: Headers) -> str:
    """The id that an upstream gave to the request, under whichever name; "" when it gave none."""
    return headers.first_of(REQUEST_IDS)


def _put_configured(headers: Headers, config: ModelConfig) -> None:
    """Set the entry's own headers; text that is not ASCII goes out as UTF-8."""
    for name, value in config.extra_headers.items():
        headers[name] = value if value.isascii() else value.encode().decode("latin-1")


def _put_key(headers: Headers, form: str, key: str) -> None:
    if form != "bearer":
        form = _FORMS.get((form, key.startswith(_JWT)), form)
    if form == "bearer":
        headers["Authorization"] = f"Bearer {key}"
    else:
        headers[form] = key


_JWT = "eyJ"  # how every one begins: base64url of `{"`
_FORMS = {
    ("api-key", True): "bearer",
    ("x-api-key_or_token", True): "bearer",
    ("x-api-key_or_token", False): "x-api-key",
}
"""The forms that depend on whether the key is a token."""


def _named_by_connection(value: str) -> frozenset[str]:
    return frozenset(listed(value or ""))


def _without_betas(value: str, patterns: tuple[str, ...], report: Report) -> str:
    flags = [flag.strip() for flag in value.split(",")]
    kept = [flag for flag in flags if not any(fnmatchcase(flag, pattern) for pattern in patterns)]
    if len(kept) == len(flags):
        return value
    report.dropped(
        "beta_dropped", "anthropic-beta", "the model's entry drops betas its upstream refuses", quiet=True
    )
    return ", ".join(kept)
