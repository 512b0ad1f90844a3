"""`claude-code-proxy top`: sessions and requests live in the terminal, from the feed of the page at `/ui`.

Needs the extra `[top]`.
"""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from typing import Any, NamedTuple

from claude_code_proxy.cli import output
from claude_code_proxy.cli.server_command.running_server import NoAnswerError, opened
from claude_code_proxy.config.problems import ConfigError

EXTRA = "top"
_MOST = 10_000  # requests that are remembered
_PATIENCE = 40.0  # seconds without a word of a server that sends one every 15
_FIRST = 1.0  # seconds in which everything known so far has come
_EVERY = 0.25  # seconds between two pictures
_FIGURE = 6  # columns that a figure has even where the terminal is narrow, and the others:
_LEAST = {"Came": 8, "Model": 8, "Status": 6, "Session": 8}
_SHORTEST = 0.05  # seconds of an answer that has a speed
_SIGNS = {"running": ("●", "blue"), "ok": ("✓", "green"), "error": ("✕", "red"), "gone": ("⊘", "dim")}


class Requests:
    """The requests as the feed tells of them, oldest first."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, Any]] = {}
        self.server: dict[str, Any] = {}
        self._offset = 0.0  # seconds between the server's clock and ours

    def take(self, news: Mapping[str, Any]) -> None:
        """Take one event of `/ui/events`."""
        self._offset = news["now"] - time.time()
        if "server" in news:
            self.server = news["server"]
        for row in news.get("rows", ()):
            self.rows[row["id"]] = {**self.rows.get(row["id"], {}), **row}
        for request_id, sent, first, status, attempts in news.get("moves", ()):
            if (row := self.rows.get(request_id)) is not None:
                row |= {
                    "sent_bytes": sent, "first_byte_seconds": first, "status": status, "attempts": attempts,
                }  # fmt: skip
        while len(self.rows) > _MOST:
            del self.rows[next(iter(self.rows))]

    @property
    def now(self) -> float:
        """The server's time, in epoch seconds."""
        return time.time() + self._offset


class Line(NamedTuple):
    """A session, or one of its subagents: sums over its requests. `speed` is in output tokens per second."""

    name: str
    level: int
    model: str
    requests: int
    running: int
    errors: int
    tokens: int
    cached: float | None
    speed: float | None
    notices: int


def sessions(rows: Iterable[Mapping[str, Any]]) -> list[Line]:
    """The sessions, the one with the last request first, each with its subagents below."""
    of_session: dict[str, dict[str, list[Mapping[str, Any]]]] = {}
    for row in rows:
        agents = of_session.pop(row["session_id"], {})  # the last one to ask comes last
        of_session[row["session_id"]] = agents
        agents.setdefault("", []).append(row)
        if row["agent_id"]:
            agents.setdefault(row["agent_id"], []).append(row)
    lines = []
    for session_id, agents in reversed(of_session.items()):
        lines.append(_sum(session_id[:8] or "no session", 0, agents.pop("")))
        for agent_id, asked in agents.items():
            kind = next((row["agent_type"] for row in reversed(asked) if row["agent_type"]), "")
            lines.append(_sum(kind or f"agent {agent_id[:8]}", 1, asked))
    return lines


def _sum(name: str, level: int, rows: list[Mapping[str, Any]]) -> Line:
    usages = [row["usage"] for row in rows if row["usage"]]
    cached = sum(usage["cache_read_input_tokens"] for usage in usages)
    prompt = cached + sum(usage["input_tokens"] + usage["cache_creation_input_tokens"] for usage in usages)
    return Line(
        name=name,
        level=level,
        model=next((row["model"] or row["asked"] for row in reversed(rows)), ""),
        requests=len(rows),
        running=sum(row["state"] == "running" for row in rows),
        errors=sum(row["state"] == "error" for row in rows),
        tokens=prompt + sum(usage["output_tokens"] for usage in usages),
        cached=cached / prompt if prompt else None,
        speed=next((found for row in reversed(rows) if (found := _speed(row)) is not None), None),
        notices=len({code for row in rows for code in row["notices"]}),
    )


def _speed(row: Mapping[str, Any]) -> float | None:
    if not row["usage"] or row["first_byte_seconds"] is None:
        return None
    seconds = row["seconds"] - row["first_byte_seconds"]
    return row["usage"]["output_tokens"] / seconds if seconds > _SHORTEST else None


def picture(requests: Requests, height: int) -> Any:
    """What `rich` shows: sessions above, at most half of `height` lines, requests below, newest first."""
    table, text, group = (_rich(name) for name in ("table", "text", "console"))
    rows = list(requests.rows.values())

    def cell(value: object, style: str = "") -> Any:
        said = "".join(c if c.isprintable() else "?" for c in str(value))
        return text.Text(said, style, no_wrap=True, overflow="ellipsis")

    def head(title: str, columns: Iterable[tuple[str, bool]]) -> Any:
        made = table.Table(title=cell(title), title_justify="left", box=None, expand=True, pad_edge=False)
        for name, is_figure in columns:
            least = _FIGURE if is_figure else _LEAST.get(name, 1)
            justify = "right" if is_figure else "left"
            # columns that may wrap are those that a narrow terminal makes narrower; no cell of theirs wraps
            made.add_column(name, justify=justify, no_wrap=is_figure, min_width=least, overflow="ellipsis")
        return made

    server = requests.server
    title = f"claude-code-proxy {server.get('version', '')}   {len(rows):,} requests"
    if server.get("workers", 1) > 1:
        title += f"   process {server['pid']}, one of {server['workers']}: others' requests are not shown"
    sums = ("Requests", "Running", "Errors", "Tokens", "Cached", "Tok/s", "Notices")
    above = head(title, [("Session", False), ("Model", False), *((name, True) for name in sums)])
    lines = sessions(rows)[: max(1, height // 2 - 4)]
    for line in lines:
        above.add_row(
            cell("  " * line.level + line.name, "bold" if not line.level else ""),
            cell(line.model),
            cell(f"{line.requests:,}"),
            cell(line.running or "", "blue"),
            cell(line.errors or "", "red"),
            cell(f"{line.tokens:,}"),
            cell("" if line.cached is None else f"{line.cached:.0%}"),
            cell("" if line.speed is None else f"{line.speed:.0f}"),
            cell(line.notices or "", "yellow"),
        )
    figures = ("First", "Took", "Tok/s", "Prompt", "Output", "Retries")
    names = [("", False), ("Came", False), ("Model", False), ("From", False), ("Status", False)]
    below = head("", [*names, *((name, True) for name in figures)])
    newest = sorted(rows, key=lambda row: (row["state"] == "running", row["began"]), reverse=True)
    for row in newest[: max(1, height - len(lines) - 7)]:
        cells = _cells(row, requests.now)
        below.add_row(*(cell(*one) if isinstance(one, tuple) else cell(one) for one in cells))
    return group.Group(above, below)


def _cells(row: Mapping[str, Any], now: float) -> Iterator[object]:
    yield _SIGNS.get(row["state"], ("?", ""))
    yield time.strftime("%H:%M:%S", time.localtime(row["began"]))
    yield row["model"] or row["asked"]
    yield row["agent_type"] or row["agent_id"][:8] or row["request_class"]
    yield row["error"] or row["status"] or "", "red" if row["error"] else ""
    yield "" if row["first_byte_seconds"] is None else f"{row['first_byte_seconds']:.2f} s"
    yield f"{max(0.0, now - row['began'] if row['state'] == 'running' else row['seconds']):.1f} s"
    yield "" if (speed := _speed(row)) is None else f"{speed:.0f}"
    usage = row["usage"]
    if usage:
        cached, made = usage["cache_read_input_tokens"], usage["cache_creation_input_tokens"]
        yield f"{usage['input_tokens'] + cached + made:,}"
        yield f"{usage['output_tokens']:,}"
    else:
        yield ""
        yield f"{row['sent_bytes'] / 1000:.1f} kB" if row["sent_bytes"] else ""
    yield row["attempts"] - 1 if row["attempts"] > 1 else "", "yellow"


def top(url: str) -> int:
    """Show the server at `url` until Ctrl-C, or once where the output is no terminal; the exit code.

    Raises `ConfigError` without the extra.
    """
    console = _rich("console").Console()
    live = _rich("live").Live
    told: queue.Queue[dict[str, Any] | str] = queue.Queue()
    threading.Thread(target=_listen, args=(url, told), daemon=True).start()
    requests = Requests()
    until = time.monotonic() + _FIRST
    first = told.get()
    if isinstance(first, str):
        output.error(first)
        return output.FAILURE
    requests.take(first)
    if not console.is_terminal:
        waiting = _taken(requests, told, until)
        console.print(picture(requests, len(requests.rows) + 40))
        return output.FAILURE if waiting else output.OK
    with live(console=console, screen=True, auto_refresh=False) as shown:
        while not (problem := _taken(requests, told, time.monotonic() + _EVERY)):
            shown.update(picture(requests, console.height), refresh=True)
    output.error(problem)
    return output.FAILURE


def _taken(requests: Requests, told: queue.Queue[dict[str, Any] | str], until: float) -> str:
    """Take what comes until then; what ended the connection, if that did."""
    while (left := until - time.monotonic()) > 0:
        try:
            news = told.get(timeout=left)
        except queue.Empty:
            return ""
        if isinstance(news, str):
            return news
        requests.take(news)
    return ""


def _listen(url: str, told: queue.Queue[dict[str, Any] | str]) -> None:
    """Put each event of the feed into `told`, and at the end the reason as text."""
    try:
        with opened(url, "/ui/events", _PATIENCE) as response:
            for line in response:
                if line.startswith(b"data: "):
                    news = json.loads(line[6:])
                    if not isinstance(news, dict) or "now" not in news:
                        raise ValueError("another program does")
                    told.put(news)
        told.put(f"the server at {url} has ended")
    except NoAnswerError as error:
        told.put(str(error))


def _rich(name: str) -> Any:
    try:
        return import_module(f"rich.{name}")
    except ImportError:
        hint = f"pip install 'keyless-claude-proxy[{EXTRA}]'"
        raise ConfigError(f"top needs the extra [{EXTRA}]: {hint}") from None
