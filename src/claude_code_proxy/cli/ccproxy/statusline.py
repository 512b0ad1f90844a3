"""`ccproxy statusline`: the line below Claude Code's prompt, from what the session's proxy knows.

Claude Code runs it after each answer, with a JSON object on standard input (`session_id`,
`model.display_name`), and shows what it prints. So it is quick and never fails: a session runs this file by
itself, without the package and without Python's site, and all that goes wrong is a shorter line.
"""

from __future__ import annotations

import json
import os
import socket
import sys

_WAIT = 0.3  # seconds for the proxy, which is on this machine
_MOST = 1 << 20  # bytes of standard input
_LONGEST = 200  # characters of the line


def setting(url: str) -> dict[str, object]:
    """Claude Code's setting that shows the line of the session whose proxy is at `url`."""
    import shlex

    words = [sys.executable, "-I", "-S", os.path.abspath(__file__), url]  # noqa: PTH100 - pathlib takes 15 ms
    return {"statusLine": {"type": "command", "command": shlex.join(words)}}


def main(arguments: list[str]) -> int:
    """Print the line. `arguments`: the proxy's address, else ANTHROPIC_BASE_URL is. Always returns 0."""
    try:
        told = {} if sys.stdin.isatty() else json.loads(sys.stdin.buffer.read(_MOST))
        url = arguments[0] if arguments else os.environ.get("ANTHROPIC_BASE_URL", "")
        line = _ask(url, str(told.get("session_id", ""))) or _known(told)
        shown = "".join(c if c.isprintable() else " " for c in line[:_LONGEST])
        sys.stdout.buffer.write(shown.encode() + b"\n")
        sys.stdout.flush()
    except Exception:
        return 0  # nobody is to read a complaint below the prompt
    return 0


def _ask(url: str, session_id: str) -> str:
    """The line of a session; "" where nobody of ours answers in time."""
    scheme, _, rest = url.partition("://")
    host, _, port = rest.partition("/")[0].rpartition(":")
    host = host.strip("[]")
    named = "".join(c for c in session_id if c.isascii() and (c.isalnum() or c in "-_."))
    if scheme != "http" or host not in ("127.0.0.1", "::1", "localhost") or not named:
        return ""
    answer = b""
    try:
        with socket.create_connection((host, int(port)), _WAIT) as connection:
            head = f"GET /ui/line?session={named} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n"
            connection.sendall(head.encode())
            while part := connection.recv(65536):
                answer += part
    except (OSError, ValueError):
        return ""
    top, _, body = answer.partition(b"\r\n\r\n")
    return body.decode(errors="replace").strip() if top.startswith(b"HTTP/1.1 200 ") else ""


def _known(told: dict[str, object]) -> str:
    """What is known without the proxy: the provider, which `ccproxy` put into the environment; the model."""
    model = told.get("model")
    name = model.get("display_name") if isinstance(model, dict) else ""
    return " · ".join(str(word) for word in (os.environ.get("CCPROXY_SESSION"), name) if word)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
