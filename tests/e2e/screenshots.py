"""Take the documentation's screenshots anew: `make screenshots`."""

from __future__ import annotations

import asyncio
import subprocess
import tempfile
from pathlib import Path

from tests import paths
from tests.e2e.browser import open_tab
from tests.e2e.page_scene import FRESH, captured, records, streaming_provider
from tests.packages import provide
from tests.server.byte_upstream import running_upstream
from tests.server.harness import Client, eventually, running_proxy

IMAGES = paths.REPOSITORY / "docs" / "images"
_MOST = 150_000  # bytes of a picture


async def main(images: Path) -> None:
    """Write the pictures into `images`."""
    assert not provide({"pngquant": "pngquant"}), "pngquant is not installed"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = {"capture": folder / "capture"}
        async with (
            running_upstream(streaming_provider) as upstream,
            running_proxy(captured(upstream.base), **settings) as proxy,
            open_tab(folder / "profile", 1360, 800) as tab,
        ):
            feed, captures = proxy.gateway.feed, proxy.gateway.captures
            assert feed is not None
            assert captures is not None
            feed.ended.extend(records(180))
            feed.count = len(feed.ended)
            clients = []
            for request, headers in FRESH:
                clients.append(await Client.connect(proxy))
                await clients[-1].send(request, headers=headers)
            await eventually(captures.names)
            await tab.scheme("light")
            await tab.go(f"{proxy.base}/ui")
            await tab.until("document.querySelectorAll('[role=treeitem]').length > 3")
            await asyncio.sleep(3)
            _write(images / "page.png", await tab.screenshot())
            await tab.scheme("dark")
            await tab.value(
                "[...document.querySelectorAll('#list .row')].find(r => r.dataset.state === 'ok').click()"
            )
            await tab.until("document.querySelectorAll('.pane').length === 4")
            await asyncio.sleep(1)
            _write(images / "detail.png", await tab.screenshot())
            for client in clients:
                client.close()
            await eventually(lambda: proxy.gateway.in_flight == 0)
            await asyncio.sleep(0.5)  # for the provider to notice


def _write(path: Path, data: bytes) -> None:
    data = subprocess.run(["pngquant", "--strip", "-"], input=data, stdout=subprocess.PIPE, check=True).stdout
    path.parent.mkdir(parents=True, exist_ok=True)
    assert len(data) < _MOST, f"{path.name} has {len(data)} bytes"
    path.write_bytes(data)


if __name__ == "__main__":
    asyncio.run(main(IMAGES))
