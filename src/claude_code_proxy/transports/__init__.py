"""The HTTP client that the server calls its upstreams with: our own, or a well-kept one that can do more.

`http1` is the default; nothing else is loaded unless it is chosen.
"""

from __future__ import annotations

from importlib import import_module
from typing import Literal

from claude_code_proxy import http1
from claude_code_proxy.http1 import Options

from .protocol import Transport

Kind = Literal["http1", "http2"]
EXTRA = "http2"


class MissingExtraError(Exception):
    """The transport needs an extra that is not installed."""


def make_transport(kind: Kind, options: Options) -> Transport:
    """The client of one server process.

    Raises `MissingExtraError`, and `OSError` for certificate files that are none.
    """
    if kind == "http1":
        options.tls.check()
        return http1.Client(options)
    try:
        module = import_module("claude_code_proxy.transports.httpx2_client")
    except ImportError:
        hint = f"pip install 'keyless-claude-proxy[{EXTRA}]'"
        raise MissingExtraError(f"transport: {kind} needs the extra [{EXTRA}]: {hint}") from None
    client: Transport = module.Httpx2Client(options)
    return client
