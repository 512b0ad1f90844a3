"""The demo provider as a process: `python -m tests.e2e.recording_provider FOLDER PORT DELAY`.

Its replies are those of FOLDER/script.json, then the demo's rules. Every request becomes lines of
FOLDER/requests.jsonl, each with its number and a time: it has arrived, its answer has begun, its caller has
gone before the end, it is over.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from claude_code_proxy.demo.provider import Provider
from claude_code_proxy.demo.serving import serve_until_stopped

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from claude_code_proxy.demo.provider import Receive, Send


class Recorder:
    """The provider's ASGI app, with a record of its requests in `folder`."""

    def __init__(self, folder: Path, delay: float) -> None:
        self._provider = Provider(delay=delay)
        self._provider.script.load(json.loads((folder / "script.json").read_text()))
        self._file = (folder / "requests.jsonl").open("a", buffering=1)
        self._count = 0

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        self._count += 1
        number = self._count
        status = 0
        complete = False
        body = b""

        async def receive_and_record() -> MutableMapping[str, Any]:
            nonlocal body
            message = await receive()
            if message["type"] == "http.request":
                body += message.get("body", b"")
                if not message.get("more_body"):
                    headers = {
                        key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]
                    }
                    self._write(
                        number, event="request", path=scope["path"], headers=headers, body=body.decode()
                    )
            elif not complete:
                self._write(number, event="gone")
            return message

        async def send_and_record(message: MutableMapping[str, Any]) -> None:
            nonlocal status, complete
            if message["type"] == "http.response.start":
                status = message["status"]
                self._write(number, event="answering")
            else:
                complete = not message.get("more_body")
            await send(message)

        try:
            await self._provider(scope, receive_and_record, send_and_record)
        finally:
            self._write(number, event="over", status=status, complete=complete)

    def _write(self, number: int, **record: Any) -> None:
        self._file.write(json.dumps({"number": number, "time": time.monotonic(), **record}) + "\n")


def main(folder: str, port: str, delay: str) -> None:
    """Serve until SIGTERM; says so when the port is bound."""
    app = Recorder(Path(folder), float(delay))
    serve_until_stopped(app, int(port), lambda url: print(f"listening on {url}", flush=True))


if __name__ == "__main__":
    main(*sys.argv[1:])
