"""What can go wrong between the proxy and an upstream, as errors for the client."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import aiohttp

from claude_code_proxy.core.errors import ApiError
from claude_code_proxy.core.upstream_errors import transport_error

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def connecting(api_base: str) -> Iterator[None]:
    """Turn the HTTP client's exceptions up to the response headers into `ApiError`."""
    try:
        yield
    except aiohttp.ServerTimeoutError:
        raise transport_error("timeout_connect", "", api_base=api_base) from None
    except aiohttp.ClientConnectorDNSError as error:
        raise transport_error("dns", _words(error), api_base=api_base) from None
    except (aiohttp.ClientSSLError, aiohttp.ServerFingerprintMismatch) as error:
        raise transport_error("tls", _words(error), api_base=api_base) from None
    except (aiohttp.ClientConnectorError, aiohttp.ClientHttpProxyError) as error:
        raise transport_error("connect", _words(error), api_base=api_base) from None
    except (aiohttp.ClientConnectionError, OSError) as error:
        raise transport_error("reset", _words(error), api_base=api_base) from None
    except aiohttp.ClientError as error:
        raise transport_error(
            "reset", f"the answer is not HTTP: {_words(error)}", api_base=api_base
        ) from None


READ_FAILURES = (aiohttp.ClientError, OSError)
"""What the HTTP client raises while an answer is read."""


def cut_error(error: BaseException, api_base: str) -> ApiError:
    """One of `READ_FAILURES` as the error for the client."""
    return transport_error("cut", _words(error), api_base=api_base)


def redirect_error(status: int, location: str, api_base: str) -> ApiError:
    """An upstream answered with a redirect: it is never followed, the key would go along."""
    target = urlsplit(location).netloc.rpartition("@")[2]
    where = f"to {target}" if target else "to another path"
    return ApiError(
        502,
        "api_error",
        f"{urlsplit(api_base).netloc} answered {status}, a redirect {where}; the proxy does not follow "
        "redirects with a key: write the final address as api_base in models.yaml",
    )


def _words(error: BaseException) -> str:
    """An exception in one line, without what it may carry of the request."""
    if isinstance(error, aiohttp.ClientResponseError):
        return error.message
    if isinstance(error, aiohttp.ClientConnectorError):
        return str(error.os_error.strerror or error.os_error)
    return " ".join(str(error).split()) or type(error).__name__
