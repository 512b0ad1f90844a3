"""The page at `/ui` in a real browser: headless Chromium."""

from __future__ import annotations

import asyncio
import difflib
import json
import random
import re
import shlex
import time
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from claude_code_proxy.core.report import Notice
from claude_code_proxy.server.records.live_feed import MAX_REQUESTS
from tests.e2e.browser import Tab, open_tab
from tests.e2e.page_scene import CAPTURED, captured, records, streaming_provider
from tests.server.byte_upstream import Connection, Request, running_upstream, text_chunk
from tests.server.harness import BODY, KEY, Client, Proxy, eventually, model, running_proxy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

ROWS = "document.querySelectorAll('#list .row').length"
FIRST = "document.querySelector('#list .row').innerText"


@asynccontextmanager
async def page(proxy: Proxy, folder: Path, width: int = 1440, height: int = 900) -> AsyncIterator[Tab]:
    """The page of `proxy`, open; afterwards there must have been no complaint and no other origin."""
    async with open_tab(folder / "profile", width, height) as tab:
        await tab.go(f"{proxy.base}/ui")
        await tab.until("document.querySelector('#connection')?.dataset.state === 'live'")
        yield tab
        assert tab.errors == []
        assert {urlsplit(url).netloc for url in tab.urls} <= {urlsplit(proxy.base).netloc}


def remember(proxy: Proxy, *shown: Any) -> None:
    feed = proxy.gateway.feed
    assert feed is not None
    for record in shown:
        feed.ended.append(record)
        feed.count += 1


async def test_it_shows_a_stream_while_it_runs(tmp_path: Path) -> None:
    finish = asyncio.Event()

    async def wait(_: Request, connection: Connection) -> None:
        await connection.head()
        while not finish.is_set():
            await connection.event(text_chunk("word "))
            await asyncio.sleep(0.1)
        usage = {"prompt_tokens": 1100, "completion_tokens": 321, "total_tokens": 1421}
        await connection.event({**text_chunk(finish="stop"), "usage": usage})
        await connection.chunk(b"data: [DONE]\n\n")
        await connection.end()

    async with (
        running_upstream(wait) as upstream,
        running_proxy([model(upstream.base)]) as proxy,
        page(proxy, tmp_path) as tab,
    ):
        await tab.until("document.querySelector('#empty').innerText.includes('No request has come')")
        client = await Client.connect(proxy)
        headers = {"x-claude-code-session-id": "session-1", "x-claude-code-agent-id": "agent-1"}
        await client.send({**BODY, "stream": True}, headers=headers)
        await tab.until(f"{ROWS} === 1 && document.querySelector('#list .row').dataset.state === 'running'")
        sent = re.search(r"([\d.]+) kB", await tab.value(FIRST) or "")
        await tab.until("parseFloat(document.querySelector('#list .output').innerText) > 2")
        assert sent is None or float(sent[1]) < 2.5
        await tab.until("document.querySelector('#sessions').innerText.includes('agent agent-1')")
        await tab.until("document.querySelector('#sessions .pulse') !== null")
        finish.set()
        await tab.until("document.querySelector('#list .row').dataset.state === 'ok'")
        await tab.until("document.querySelector('#list .output').innerText === '321'")
        await tab.until("document.querySelector('#sessions .pulse') === null")
        client.close()


async def test_filters_by_words_state_model_and_session(tmp_path: Path) -> None:
    async with running_proxy([model("http://127.0.0.1:1")]) as proxy:
        shown = list(records(180))
        remember(proxy, *shown)
        async with page(proxy, tmp_path) as tab:
            await tab.until("document.querySelector('#count').value === '180 requests'")

            async def counts(expected: int) -> None:
                await tab.until(f"document.querySelector('#count').value.startsWith('{expected} of 180')")

            failed = sum(record.outcome == "error" for record in shown)
            await tab.click("#states button:nth-child(3)")
            await counts(failed)
            await tab.click("#states button:first-child")
            await tab.press("/")
            assert await tab.value("document.activeElement.id === 'words'")
            for key in "glm-5.1":
                await tab.press(key)
            await counts(sum(record.model == "glm-5.1" for record in shown))
            for key in " explore":
                await tab.press(key)
            explores = sum(r.model == "glm-5.1" and r.agent_type == "Explore" for r in shown)
            assert explores
            await counts(explores)
            await tab.value(
                "words.value = ''; words.dispatchEvent(new Event('input')); const m = document.getElementById('model');"
                "m.value = 'kimi-k3'; m.dispatchEvent(new Event('change'))"
            )
            await counts(sum(record.model == "kimi-k3" for record in shown))
            await tab.value(
                "{ const m = document.getElementById('model'); m.value = ''; m.dispatchEvent(new Event('change')) }"
            )
            tree = await tab.value(
                "[...document.querySelectorAll('[role=treeitem]')].map(i => [i.ariaLevel, i.title])"
            )
            assert tree[0] == ["1", ""]
            newest = shown[-1].session_id
            at = next(index for index, item in enumerate(tree) if item[1] == newest)
            assert [item[0] for item in tree[at : at + 3]] == ["1", "2", "3"], "a subagent's subagent"
            await tab.click(f"#session-{at}")
            await counts(sum(record.session_id == newest for record in shown))
            await tab.click(f"#session-{at + 2}")
            below = tree[at + 2][1]
            await counts(sum(record.agent_id == below for record in shown))


async def test_ten_thousand_requests_and_more(tmp_path: Path) -> None:
    async with running_proxy([model("http://127.0.0.1:1")]) as proxy:
        remember(proxy, *records(MAX_REQUESTS))
        async with page(proxy, tmp_path) as tab:
            await tab.until("document.querySelector('#count').value === '10.0k requests'", within=30)
            assert await tab.value(ROWS) < 60, "only what is in sight exists"
            await tab.value("list.focus()")
            await tab.press("End")
            last = "document.querySelector('#list [aria-selected=true]').getAttribute('aria-posinset')"
            await tab.until(f"{last} === '{MAX_REQUESTS}'")
            assert await tab.value(ROWS) < 60
            began = time.monotonic()
            await tab.value("words.value = 'kimi'; words.dispatchEvent(new Event('input'))")
            await tab.until("document.querySelector('#count').value.includes(' of ')")
            assert time.monotonic() - began < 5
            await tab.value("words.value = ''; words.dispatchEvent(new Event('input'))")
            # Twice as many again: the page forgets the oldest, as the server does.
            for _ in range(2):
                remember(proxy, *records(MAX_REQUESTS, seed=int(time.monotonic() * 1000) % 90))
                await asyncio.sleep(1)
            await tab.until("parseFloat(document.querySelector('#count').value) <= 11.1", within=30)


async def test_the_keyboard_is_enough(tmp_path: Path) -> None:
    async with running_proxy([model("http://127.0.0.1:1")]) as proxy:
        shown = list(records(60))
        remember(proxy, *shown)
        async with page(proxy, tmp_path) as tab:
            await tab.until(f"{ROWS} > 5")
            focused = "document.activeElement.id || document.activeElement.tagName"
            reached = set()
            for _ in range(20):
                await tab.press("Tab")
                reached.add(await tab.value(focused))
            assert {"theme", "sessions", "words", "model", "list"} <= reached
            await tab.value("list.focus()")
            await tab.press("ArrowDown")
            await tab.press("ArrowDown")
            await tab.press("k")
            await tab.press("j")
            await tab.press("Enter")
            await tab.until(f"document.querySelector('#detail h2')?.innerText === '{shown[-2].request_id}'")
            await tab.press("Escape")
            await tab.until("document.querySelector('#detail').hidden")
            assert await tab.value(focused) == "list"
            await tab.until("document.querySelectorAll('[role=treeitem]').length > 3")
            await tab.value("sessions.focus()")
            await tab.press("ArrowDown")
            await tab.until("document.querySelector('#count').value.includes(' of 60')")


async def test_a_window_of_800_pixels_light_and_dark(tmp_path: Path) -> None:
    async with running_proxy([model("http://127.0.0.1:1")]) as proxy:
        remember(proxy, *records(60))
        async with page(proxy, tmp_path, 800, 700) as tab:
            grounds = set()
            for scheme in ("light", "dark"):
                await tab.scheme(scheme)
                await tab.until(f"{ROWS} > 2")
                grounds.add(await tab.value("getComputedStyle(document.body).backgroundColor"))
                assert await tab.value("document.documentElement.scrollWidth <= innerWidth")
                for part in ("words", "states", "list", "sessions", "charts"):
                    box = await tab.value(
                        f"(b => [b.left >= 0, b.right <= innerWidth, b.height > 20])({part}.getBoundingClientRect())"
                    )
                    assert box == [True, True, True], part
                await tab.click("#list .row")
                await tab.until("!document.querySelector('#detail').hidden")
                assert await tab.value("document.documentElement.scrollWidth <= innerWidth")
                await tab.press("Escape")
            assert len(grounds) == 2


async def test_the_bodies_of_a_request_and_their_difference(tmp_path: Path) -> None:
    async with (
        running_upstream(streaming_provider) as upstream,
        running_proxy(captured(upstream.base), capture=tmp_path / "capture") as proxy,
        page(proxy, tmp_path) as tab,
    ):
        client = await Client.connect(proxy)
        await client.send(
            CAPTURED, headers={"x-claude-code-session-id": "it's-mine", "anthropic-version": "2023-06-01"}
        )
        await client.reply()
        captures = proxy.gateway.captures
        assert captures is not None
        await eventually(captures.names)
        await tab.until("document.querySelector('#list .row')?.dataset.state === 'ok'")
        await tab.click("#list .row")
        await tab.until("document.querySelectorAll('.pane').length === 4")
        panes = await tab.value("[...document.querySelectorAll('.pane')].map(pane => pane.innerText)")
        assert "deepseek-reasoner" in panes[0]
        assert "top_k" in panes[0]
        assert "top_k" not in panes[1]
        assert "chat.completion.chunk" in panes[2]
        assert "content_block_delta" in panes[3]

        path = (
            "[...document.querySelectorAll('.notices .path')].find(button => button.textContent === 'top_k')"
        )
        await tab.value(f"{path}.click()")
        revealed = "document.querySelector('.pane .revealed').innerText"
        assert (await tab.value(revealed)).startswith("top_k: 40")

        await tab.value("document.querySelectorAll('.pane .line')[4].click()")
        await tab.until("document.querySelector('.whole:not([hidden])').textContent.includes('\\n')")

        await tab.value(
            "[...document.querySelectorAll('.tools button')].find(b => b.textContent === 'Diff').click()"
        )
        lines = "[...document.querySelectorAll('.line')].map(line => line.textContent)"
        await tab.until(f"""{lines}.includes('-   "top_k": 40,')""")
        await tab.until(f"{lines}.some(line => line.startsWith('+'))")

        command = await tab.value(
            "import('/ui/detail.js').then(async ({ asCurl }) => asCurl((await (await fetch('/ui/request?id=' + "
            "document.querySelector('#detail h2').innerText)).json()).capture.request))"
        )
        assert KEY not in command
        words = shlex.split(command)
        assert words[:2] == ["curl", f"{proxy.base}/v1/messages?beta=true"]
        assert "authorization: Bearer YOUR_KEY" in words
        assert "x-claude-code-session-id: it's-mine" in words
        assert json.loads(words[-1]) == CAPTURED
        client.close()


async def test_differences(tmp_path: Path) -> None:
    """The page's own algorithm against texts cut at random: it must lead from one to the other."""
    chance = random.Random(11)
    pairs = [([], []), (["a"], []), ([], ["a"]), (["a", "b"], ["a", "b"]), (["a"], ["b"])]
    for _ in range(300):
        before = [chance.choice("abcd") for _ in range(chance.randrange(14))]
        after = [line for line in before if chance.random() < 0.7]
        for _ in range(chance.randrange(4)):
            after.insert(chance.randrange(len(after) + 1), chance.choice("abcde"))
        pairs.append((before, after))
    large = [f"line {number}" for number in range(8000)]
    pairs += [(large, [*large[:4000], "new", *large[4001:]]), (large, [f"{line}!" for line in large])]
    async with running_proxy([model("http://127.0.0.1:1")]) as proxy, page(proxy, tmp_path) as tab:
        differences = await tab.value(
            f"import('/ui/diff.js').then(diff => {json.dumps(pairs)}.map(pair => diff.diffLines(...pair)))"
        )
        for (before, after), found in zip(pairs, differences, strict=True):
            assert [line for sign, line in found if sign != "+"] == before
            assert [line for sign, line in found if sign != "-"] == after
            if len(before) < 20:
                same = sum(sign == " " for sign, _ in found)
                blocks = difflib.SequenceMatcher(None, before, after, autojunk=False).get_matching_blocks()
                assert same >= sum(block.size for block in blocks), "difflib's is no longest one, but close"


HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    '"><svg/onload=alert(1)>',
    "javascript:alert(1)",
    "\u202e\u0000{{constructor.constructor('alert(1)')()}}",
    "__proto__",
)


async def test_hostile_texts_stay_texts(tmp_path: Path) -> None:
    async with running_proxy([model("http://127.0.0.1:1")]) as proxy:
        (plain,) = records(1)
        names: tuple[str, ...] = (
            "request_id",
            "session_id",
            "agent_id",
            "parent_agent_id",
            "agent_type",
            "request_class",
        )
        names += ("operation", "asked", "model", "provider", "error", "outcome")
        hostile = []
        for number, text in enumerate(HOSTILE):
            changes: dict[str, Any] = dict.fromkeys(names, f"{text}{number}")
            hostile.append(replace(plain, notices=(text,), **changes))
        remember(proxy, *hostile, replace(plain, session_id="__proto__", agent_id="__proto__"))
        feed = proxy.gateway.feed
        assert feed is not None
        for record in hostile:
            (text,) = record.notices
            feed._notices.append((record.request_id, [Notice(text, text, "dropped", text)]))
        async with page(proxy, tmp_path) as tab:
            await tab.until(f"{ROWS} === {len(hostile) + 1}")
            await tab.value("list.focus()")
            for record in reversed(hostile):
                await tab.press("Escape")
                await tab.press("ArrowDown")
                if record is hostile[-1]:
                    await tab.press("ArrowDown")
                await tab.press("Enter")
                await tab.until(
                    f"document.querySelector('#detail .notices mark')?.textContent === {HOSTILE[hostile.index(record)]!r}"
                    if "\u0000" not in record.notices[0]
                    else "document.querySelector('#detail .notices mark') !== null"
                )
            markup = "document.querySelectorAll('#detail img, #overview img, nav img, main script, main svg, nav svg').length"
            assert await tab.value(markup) == 0


async def test_the_connection_comes_back(tmp_path: Path) -> None:
    async with running_proxy([model("http://127.0.0.1:1")]) as proxy:
        remember(proxy, *records(3))
        async with open_tab(tmp_path / "profile") as tab:
            await tab.go(f"{proxy.base}/ui")
            await tab.until(f"{ROWS} === 3")
            feed = proxy.gateway.feed
            assert feed is not None
            for connection in list(proxy.connections._open):
                connection.transport.abort()
            await tab.until("document.querySelector('#connection').dataset.state === 'waiting'")
            remember(proxy, *records(1, seed=8))
            await tab.until(f"{ROWS} === 4 && document.querySelector('#connection').dataset.state === 'live'")
