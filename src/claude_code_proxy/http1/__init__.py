"""A thin HTTP/1.1 client: one connection per exchange, kept for the next one; nothing that nobody here needs.

`Client.request` sends, `Response.read` gives the body as it arrives. There are no redirects and no cookies in
it, and no header of its own but `Host`, `Content-Length` and `Proxy-Authorization`.
"""

from claude_code_proxy.http1.client_options import Options
from claude_code_proxy.http1.header_fields import Headers
from claude_code_proxy.http1.tls import Tls

from .client import Client, Response
from .errors import (
    AnswerError,
    ConnectError,
    ConnectTimeoutError,
    CutError,
    DnsError,
    HttpError,
    NoFilesError,
    RequestError,
    ResetError,
    TlsError,
)

__all__ = [
    "AnswerError",
    "Client",
    "ConnectError",
    "ConnectTimeoutError",
    "CutError",
    "DnsError",
    "Headers",
    "HttpError",
    "NoFilesError",
    "Options",
    "RequestError",
    "ResetError",
    "Response",
    "Tls",
    "TlsError",
]
