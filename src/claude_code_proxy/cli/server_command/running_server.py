"""The running server that a command asks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException, HTTPResponse
from typing import Any, cast
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

_PATIENCE = 5.0
_MOST = 8 << 20  # bytes of an answer
_OTHER = "it is another program, or another version"


class NoAnswerError(Exception):
    """The server does not tell; the text says why and what to do."""


@contextmanager
def opened(url: str, path: str, patience: float = _PATIENCE) -> Iterator[HTTPResponse]:
    """The response at `path` of the server at `url`, whose page's address will do too.

    `patience`: seconds for each piece of it.

    Raises `NoAnswerError`, also for what happens while the response is read.
    """
    base = base_of(url)
    opener = build_opener(ProxyHandler({}))  # it runs here or nearby; a company proxy knows nothing of it
    try:
        with opener.open(base + path, timeout=patience) as response:
            yield cast("HTTPResponse", response)
    except HTTPError as error:
        raise NoAnswerError(f"{base}: {_said(error)}") from None
    except (HTTPException, OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        reason = getattr(reason, "strerror", None) or reason
        raise NoAnswerError(
            f"no claude-code-proxy answers at {base}: {reason} (hint: --url, or start it first)"
        ) from None


def ask(url: str, path: str, member: str) -> dict[str, Any]:
    """The JSON object at `path`, which has a `member`. Raises `NoAnswerError`."""
    with opened(url, path) as response:
        found = json.loads(response.read(_MOST))
        if not isinstance(found, dict) or member not in found:
            raise ValueError(_OTHER)
        return found


def base_of(url: str) -> str:
    """The server's address as a person may write it, or `ccproxy ui` prints it."""
    base = url if "://" in url else f"http://{url}"
    return base.rstrip("/").removesuffix("/ui").rstrip("/")


def _said(error: HTTPError) -> str:
    """The message of an error response."""
    try:
        return str(json.loads(error.read(10_000))["error"]["message"])
    except (LookupError, OSError, TypeError, ValueError):
        return f"status {error.code}: {_OTHER}"
