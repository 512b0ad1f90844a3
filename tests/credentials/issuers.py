"""Issuers of tokens on a loopback address: real HTTP, with the faults that a test asks for."""

from __future__ import annotations

import base64
import json
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple, Self
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from collections.abc import Callable

Answer = tuple[int, Any]
"""Status and JSON; bytes are sent as they are, and a negative status is a connection that is cut."""


class Asked(NamedTuple):
    """One request that came."""

    method: str
    path: str
    headers: dict[str, str]
    body: dict[str, Any]


class Issuer:
    """A server that answers with `answer(asked)`, and remembers what it was asked."""

    def __init__(self, answer: Callable[[Asked], Answer]) -> None:
        self.answer = answer
        self.asked: list[Asked] = []
        self.delay = 0.0
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                raw = self.rfile.read(int(self.headers.get("content-length") or 0))
                asked = Asked(
                    self.command,
                    self.path,
                    {name.lower(): value for name, value in self.headers.items()},
                    _parsed(raw, self.headers.get("content-type", "")),
                )
                issuer.asked.append(asked)
                time.sleep(issuer.delay)
                status, value = issuer.answer(asked)
                if status < 0:
                    return
                data = value if isinstance(value, bytes) else json.dumps(value).encode()
                with suppress(OSError):  # who asks may have gone
                    self.send_response(status)
                    self.send_header("content-length", str(len(data)))
                    self.end_headers()
                    self.wfile.write(data)

            do_POST = do_PUT = do_GET  # noqa: N815 - the names are of the standard library

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def paths(self) -> list[str]:
        return [asked.path for asked in self.asked]


def _parsed(raw: bytes, kind: str) -> dict[str, Any]:
    if kind == "application/json":
        value: dict[str, Any] = json.loads(raw)
        return value
    return dict(parse_qsl(raw.decode()))


def jwt(**claims: Any) -> str:
    """A token with these claims, and a signature that nobody looks at."""
    parts = ({"alg": "RS256"}, claims)
    return ".".join(
        [*(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts), "sig"]
    )
