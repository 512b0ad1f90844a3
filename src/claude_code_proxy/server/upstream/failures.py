"""What can go wrong between the proxy and an upstream, as errors for the client."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from claude_code_proxy import http1
from claude_code_proxy.core import wire
from claude_code_proxy.core.errors.api import ApiError, OwnLimitError
from claude_code_proxy.core.errors.upstream import TransportKind, transport_error


def connect_error(error: http1.HttpError, api_base: str) -> ApiError:
    """What the HTTP client raised before the response headers were there, as the error for the client."""
    if isinstance(error, http1.RequestError):
        return ApiError(500, "api_error", f"the request cannot be sent: {error}")
    if isinstance(error, http1.NoFilesError):
        words = "the proxy has no file descriptor left for a connection (ulimit -n); try again"
        return OwnLimitError(529, "overloaded_error", words, retryable=True)
    kind = next(kind for of, kind in _KINDS.items() if isinstance(error, of))
    return transport_error(kind, _words(error), api_base=api_base)


_KINDS: dict[type[http1.HttpError], TransportKind] = {
    http1.ConnectTimeoutError: "timeout_connect",
    http1.DnsError: "dns",
    http1.TlsError: "tls",
    http1.ConnectError: "connect",
    http1.HttpError: "reset",
}

_ERROR_EVENT = re.compile(rb"(?:\A|\n)event: ?error\r?\ndata: ?([^\r\n]*)\r?\n\r?\n\Z")
_LONGEST_HOST = 200  # characters that are quoted
READ_FAILURES = (http1.HttpError, OSError)
"""What the HTTP client raises while an answer is read, and a time limit for that."""


def cut_error(error: BaseException, api_base: str) -> ApiError:
    """One of `READ_FAILURES` as the error for the client."""
    return transport_error("cut", _words(error), api_base=api_base)


def too_large(api_base: str, limit: int, setting: str) -> ApiError:
    """A response has more bytes than the server's `setting` allows."""
    told = f"the response of {api_base} is larger than {limit} bytes (server setting {setting})"
    return ApiError(502, "api_error", told)


def too_slow(api_base: str, limit: float) -> ApiError:
    """A response goes on for too long."""
    told = f"the response of {api_base} took longer than {limit:g} s (server setting answer_timeout)"
    return ApiError(504, "timeout_error", told)


def redirect_error(status: int, location: str, api_base: str) -> ApiError:
    """An upstream answered with a redirect: it is never followed, the key would go along."""
    try:
        target = urlsplit(location).netloc.rpartition("@")[2][:_LONGEST_HOST]
    except ValueError:  # an address that is none
        target = ""
    where = f"to {target}" if target else "to another path"
    return ApiError(
        502,
        "api_error",
        f"{urlsplit(api_base).netloc} answered {status}, a redirect {where}; the proxy does not follow "
        "redirects with a key: write the final address as api_base in models.yaml",
    )


def _words(error: BaseException) -> str:
    """What the HTTP client says, which is nothing of the request."""
    words = str(error)
    return f"the response is not HTTP: {words}" if isinstance(error, http1.AnswerError) else words


def told_failure(last: bytes) -> str:
    """What the error event says that a stream ends with, by the bytes that were written last; "" for none."""
    blank = b"\n\r\n" if last.endswith(b"\r\n") else b"\n\n"
    # Only the last event: a search through all that one read became takes longer than its conversion.
    found = _ERROR_EVENT.search(last[last.rfind(blank, 0, -len(blank)) + 1 :])
    if found is None:
        return ""
    try:
        error = wire.loads_bounded(found[1])["error"]
        return f"{error['type']}: {error['message']}"
    except (wire.WireError, LookupError, TypeError):
        return "an error event"
