"""The proxy of a session: one that already answers, or a private one that starts and ends with Claude Code.

A private proxy is a child of the process that becomes Claude Code. Its socket is bound before it starts, so
Claude Code starts beside it and its first request waits in the socket's queue instead of failing. It looks
for its parent and ends when that is gone, however it went. It is two processes: one that serves, and one that
keeps the socket and puts another in the place of the first when that dies (`session_holder`).
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from claude_code_proxy.cli.ccproxy.session_logs import new_log
from claude_code_proxy.config.cc_proxy_json.key_sources import KeySource
from claude_code_proxy.credentials.factory import RENEWED
from claude_code_proxy.credentials.source import Credential

LOOPBACK = "127.0.0.1"
LOG_VARIABLE = "CCPROXY_LOG"
Presence = Literal["proxy", "private", "other"]

_PROBE_LIMIT = 1.5  # seconds; a local proxy answers in milliseconds
_BACKLOG = 128


class PortTakenError(Exception):
    """The address cannot be bound; the text says why."""


def who_answers(base_url: str) -> Presence | None:
    """Who answers at `base_url`: a `proxy` of ours, a `private` one of another session, some `other` server.

    None when nobody does. The question carries no key.
    """
    from http.client import HTTPConnection, HTTPException, HTTPSConnection

    parts = urlsplit(base_url)
    connect = HTTPSConnection if parts.scheme.lower() == "https" else HTTPConnection
    connection = connect(parts.hostname or "", parts.port, timeout=_PROBE_LIMIT)
    try:
        connection.request("GET", "/")
        hello = json.loads(connection.getresponse().read(10_000))
    except (ConnectionResetError, HTTPException, ValueError):
        return "other"
    except OSError:
        return None
    finally:
        connection.close()
    if not isinstance(hello, dict) or hello.get("name") != "claude-code-proxy":
        return "other"
    return "private" if hello.get("private") else "proxy"


def listen(host: str = LOOPBACK, port: int = 0) -> socket.socket:
    """A listening socket on a loopback address. Raises `PortTakenError`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise PortTakenError(f"cannot listen on {host} port {port}: {error.strerror or error}") from error


def url_of(listener: socket.socket) -> str:
    """The base URL of a listening socket."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def start(listener: socket.socket, job: Mapping[str, Any], env: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start the private proxy of this process on `listener`, with a job that `session_server` reads.

    The job has the keys: `env` needs none.
    Its log goes to the file that `CCPROXY_LOG` names, else to one that `session_logs` keeps.
    """
    descriptor = listener.fileno()
    arguments = [sys.executable, "-P", "-m", "claude_code_proxy.cli.ccproxy.session_server"]
    own = new_log(env) if not env.get(LOG_VARIABLE) else None
    log = _open_log(env.get(LOG_VARIABLE) or (str(own) if own else ""))
    try:
        process = subprocess.Popen(  # noqa: S603 - our own module
            [*arguments, str(descriptor), str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            env=dict(env),
            pass_fds=(descriptor,),
            start_new_session=True,  # the terminal's signals are for Claude Code
        )
    finally:
        if log != subprocess.DEVNULL:
            os.close(log)
    assert process.stdin is not None
    level = "info" if log != subprocess.DEVNULL else "error"
    with suppress(BrokenPipeError), process.stdin as pipe:  # one that died at once is not there to read
        pipe.write(json.dumps({"log_level": level, "log": str(own or ""), **job}).encode())
    return process


def _open_log(name: str) -> int:
    if not name:
        return subprocess.DEVNULL
    return os.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def entries_job(entries: list[dict[str, Any]], origin: Path) -> dict[str, Any]:
    """The job of a private proxy with models of its own; `origin` is named in complaints."""
    return {"entries": entries, "origin": str(origin)}


def file_job(models_file: Path) -> dict[str, Any]:
    """The job of a private proxy that has the models of a models.yaml."""
    return {"models_file": str(models_file)}


def keys_job(token: str, keys: Mapping[str, tuple[KeySource, Credential]]) -> dict[str, Any]:
    """What a job says of the keys by `api_base`, and of the `token` that stands for them."""
    rows = []
    for api_base, (source, credential) in keys.items():
        renewed = source.kind in RENEWED
        kind, value = (source.kind, source.value) if renewed else ("plain", credential.token)
        rows.append({"api_base": api_base, "kind": kind, "value": value, "first": asdict(credential)})
    return {"token": token, "keys": rows}
