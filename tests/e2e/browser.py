"""A headless Chromium, driven by the DevTools protocol over its WebSocket."""

from __future__ import annotations

import asyncio
import base64
import os
import shutil
import signal
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import aiohttp

from tests.e2e.npm import missing
from tests.packages import provide

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

_COMMANDS = ("chromium-headless-shell", "chromium", "google-chrome", "chromium-browser")
_START = 30.0  # seconds
_CODES = {"Enter": 13, "Escape": 27, "ArrowUp": 38, "ArrowDown": 40, "End": 35, "Home": 36, "Tab": 9}


class Tab:
    """One page. `errors` are what its console complained of, `urls` what it asked for."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.errors: list[str] = []
        self.urls: list[str] = []
        self._socket = socket
        self._session = ""
        self._last = 0
        self._waiting: dict[int, asyncio.Future[Any]] = {}

    async def command(self, method: str, **parameters: Any) -> Any:
        """Send a command of the protocol; its result. Raises `RuntimeError`."""
        self._last += 1
        answer = self._waiting[self._last] = asyncio.get_running_loop().create_future()
        message = {"id": self._last, "method": method, "params": parameters}
        await self._socket.send_json(message | ({"sessionId": self._session} if self._session else {}))
        async with asyncio.timeout(_START):
            return await answer

    async def attach(self, width: int, height: int) -> None:
        """Open a page of that size."""
        target = await self.command("Target.createTarget", url="about:blank")
        attached = await self.command("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            await self.command(f"{domain}.enable")
        await self.resize(width, height)

    async def listen(self) -> None:
        """Take what the browser says."""
        async for message in self._socket:
            event = message.json()
            if "id" in event:
                future = self._waiting.pop(event["id"])
                if "error" in event:
                    future.set_exception(RuntimeError(str(event["error"])))
                else:
                    future.set_result(event["result"])
                continue
            told = event["params"]
            match event["method"]:
                case "Runtime.exceptionThrown":
                    self.errors.append(str(told["exceptionDetails"]))
                case "Runtime.consoleAPICalled" if told["type"] in ("error", "warning", "assert"):
                    self.errors.append(str(told["args"]))
                case "Log.entryAdded" if told["entry"]["level"] in ("error", "warning"):
                    self.errors.append(f"{told['entry']['text']} {told['entry'].get('url')}")
                case "Network.requestWillBeSent":
                    self.urls.append(told["request"]["url"])
                case "Page.javascriptDialogOpening":
                    self.errors.append(f"dialog: {told['message']}")

    async def go(self, url: str) -> None:
        """Open an address."""
        await self.command("Page.navigate", url=url)

    async def resize(self, width: int, height: int, *, scale: float = 1) -> None:
        """Set the size of the window."""
        await self.command(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=scale, mobile=False,
        )  # fmt: skip

    async def scheme(self, name: str) -> None:
        """Prefer `light` or `dark`."""
        await self.command(
            "Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}]
        )

    async def value(self, expression: str) -> Any:
        """What a JavaScript expression is; a promise is awaited. Raises `RuntimeError` for an exception."""
        result = await self.command(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in result:
            raise RuntimeError(str(result["exceptionDetails"]))
        return result["result"].get("value")

    async def until(self, expression: str, within: float = 30.0) -> None:
        """Wait until an expression is true."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + within
        while not await self.value(expression):
            if loop.time() > deadline:
                shown = await self.value("document.body.innerText.slice(0, 2000)")
                raise AssertionError(f"{expression} did not come to pass: {shown}\n{self.errors}")
            await asyncio.sleep(0.05)

    async def press(self, key: str) -> None:
        """Press a key: a character or a name such as `ArrowDown`."""
        code = _CODES.get(key, ord(key.upper()) if key.isalnum() and len(key) == 1 else 0)
        text = {"text": "\r"} if key == "Enter" else {"text": key} if len(key) == 1 else {}
        for kind in ("keyDown", "keyUp"):
            await self.command(
                "Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code,
                **(text if kind == "keyDown" else {}),
            )  # fmt: skip

    async def click(self, selector: str) -> None:
        """Click the middle of the first element that fits."""
        box = await self.value(
            f"(() => {{ const b = document.querySelector({selector!r}).getBoundingClientRect();"
            " return [b.x + b.width / 2, b.y + b.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            await self.command(
                "Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1], button="left", clickCount=1
            )

    async def screenshot(self) -> bytes:
        """What is in sight, as PNG."""
        shot = await self.command("Page.captureScreenshot", format="png")
        return base64.b64decode(shot["data"])


@asynccontextmanager
async def open_tab(folder: Path, width: int = 1440, height: int = 900) -> AsyncIterator[Tab]:
    """Run a Chromium with its profile in `folder` and open a page."""
    binary = next((found for name in _COMMANDS if (found := shutil.which(name))), None)
    if binary is None and not provide({_COMMANDS[0]: _COMMANDS[0]}):
        binary = shutil.which(_COMMANDS[0])
    if binary is None:
        missing("Chromium is not installed")
    flags = ["--headless", "--remote-debugging-port=0", f"--user-data-dir={folder}", "--no-first-run"]
    flags += ["--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"]
    if os.geteuid() == 0 or os.environ.get("CI"):
        flags.append("--no-sandbox")  # it refuses to run as root with one
    nowhere = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        binary, *flags, stdout=nowhere, stderr=nowhere, start_new_session=True
    )
    try:
        port_file = folder / "DevToolsActivePort"
        async with asyncio.timeout(_START):
            while not port_file.exists() or "\n" not in port_file.read_text():
                assert process.returncode is None, "Chromium ended"
                await asyncio.sleep(0.05)
        port, path = port_file.read_text().split()
        url = f"ws://127.0.0.1:{port}{path}"
        async with aiohttp.ClientSession() as client, client.ws_connect(url, max_msg_size=0) as socket:
            tab = Tab(socket)
            listener = asyncio.create_task(tab.listen())
            await tab.attach(width, height)
            yield tab
            listener.cancel()
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # Debian's command is a script, and the browser its child
        await process.wait()
