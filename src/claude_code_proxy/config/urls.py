"""From the `api_base` that people paste to the URLs that the proxy calls."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple
from urllib.parse import SplitResult, parse_qsl, quote, urlsplit, urlunsplit

from claude_code_proxy.core.hosts import is_private
from claude_code_proxy.core.providers import lacks_v1
from claude_code_proxy.core.providers.profile import NativeRoute

Format = Literal["openai", "anthropic"]

_CHAT, _RESPONSES = "/chat/completions", "/responses"
_SECRET_QUERY = re.compile(r"key|token|secret|password|sig(nature)?$", re.IGNORECASE)


class BadUrl(ValueError):  # noqa: N818 - the module's own word, caught by name
    """An `api_base` that cannot be called. `hint` says how to fix it; neither text repeats the URL."""

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.hint = hint


class Endpoints(NamedTuple):
    """The URLs of one upstream. A URL that its format does not have is empty."""

    chat_url: str
    """Where converted requests go: Chat Completions or Responses."""
    messages_url: str
    count_tokens_url: str
    models_url: str
    stream_url: str = ""
    """Where Messages go whose answer is streamed, if not to `messages_url`."""


def check(api_base: str) -> SplitResult:
    """The parts of `api_base`; raises `BadUrl` when it is no http(s) URL or carries a secret."""
    if not re.match(r"https?://", api_base, re.IGNORECASE):
        raise BadUrl("api_base must start with https:// or http://", "write the whole URL")
    if re.search(r"[\s\x00-\x1f]", api_base):
        raise BadUrl("api_base contains white space", "remove it")
    try:
        parts = urlsplit(api_base)
        port = parts.port
    except ValueError as error:
        raise BadUrl(f"api_base is not a URL: {error}") from error
    if not parts.hostname or port == 0:
        raise BadUrl("api_base has no host or a bad port", "write it like https://api.example.com/v1")
    if parts.username is not None or parts.password is not None:
        raise BadUrl(
            "api_base contains a user name or a password", "keys come from the caller, never from here"
        )
    if parts.fragment:
        raise BadUrl('api_base contains a "#" part', "remove it")
    for name, _ in parse_qsl(parts.query, keep_blank_values=True):
        if _SECRET_QUERY.search(name):
            raise BadUrl(
                f'api_base contains a secret ("{name}")', "keys come from the caller, never from here"
            )
    return parts


def is_anthropic(parts: SplitResult) -> bool:
    """Whether the host is Anthropic's own."""
    host = parts.hostname or ""
    return host == "anthropic.com" or host.endswith(".anthropic.com")


def is_exposed(parts: SplitResult) -> bool:
    """Whether a key could be read on the way: plain http to a host that is neither local nor private."""
    return parts.scheme.lower() != "https" and not is_private(parts.hostname or "")


def names_responses(parts: SplitResult) -> bool:
    """Whether a base is the full address of a Responses endpoint."""
    return parts.path.rstrip("/").endswith(_RESPONSES)


def endpoints(
    parts: SplitResult,
    format: Format,  # noqa: A002 - the key's name in models.yaml
    api: Literal["chat", "responses"] = "chat",
) -> Endpoints:
    """The upstream's URLs; `api` is the profile's, which protocol `chat_url` speaks.

    The base may be given with or without `/v1`, with a trailing slash, or as the full endpoint; a base of
    any other path keeps it. The query (Azure's `api-version`) stays on every URL.
    """
    path = re.sub(r"/{2,}", "/", parts.path).rstrip("/")
    if format == "anthropic":
        path = path.removesuffix("/count_tokens").removesuffix("/messages").removesuffix("/v1")
        messages = f"{path}/v1/messages"
        return Endpoints(
            "",
            _join(parts, messages),
            _join(parts, f"{messages}/count_tokens"),
            _join(parts, f"{path}/v1/models"),
        )
    path = path.removesuffix(_CHAT).removesuffix(_RESPONSES)
    if lacks_v1(parts.hostname or "", path):
        path = f"{path}/v1"
    listed = re.sub(r"/deployments/[^/]+$", "", path)  # Azure lists models beside its deployments
    endpoint = _RESPONSES if api == "responses" else _CHAT
    return Endpoints(_join(parts, path + endpoint), "", "", _join(parts, f"{listed}/models"))


def routed(parts: SplitResult, route: NativeRoute, model: str) -> Endpoints:
    """The URLs of an upstream that names the model in the path."""
    base = re.sub(r"/{2,}", "/", parts.path).rstrip("/")
    # As in a path of one segment: a slash or a colon of the model's name divides nothing.
    name = quote(model, safe="-._~@")

    def url(rest: str) -> str:
        return _join(parts, base + rest.format(model=name)) if rest else ""

    return Endpoints("", url(route.whole), url(route.counted), "", url(route.streamed))


def _join(parts: SplitResult, path: str) -> str:
    return urlunsplit((parts.scheme.lower(), parts.netloc.lower(), path, parts.query, ""))
