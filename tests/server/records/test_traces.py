"""Spans as a real OTLP receiver gets them."""

from __future__ import annotations

import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from claude_code_proxy.config.problems import ConfigError
from claude_code_proxy.server.records.traces import Traces
from tests.server.byte_upstream import Connection, Request, running_upstream, say_hello
from tests.server.harness import BODY, KEY, ask, model, running_proxy

if TYPE_CHECKING:
    from collections.abc import Iterator

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SESSION = {"x-claude-code-session-id": "a-session"}


class Received:
    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.raw = b""
        self.resource: dict[str, Any] = {}


@contextmanager
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Received]:
    received = Received()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/traces"
            data = self.rfile.read(int(self.headers["content-length"]))
            received.raw += data
            for part in ExportTraceServiceRequest.FromString(data).resource_spans:
                received.resource = attributes(part.resource.attributes)
                for scope in part.scope_spans:
                    received.spans += scope.spans
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    try:
        yield received
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value") or "string_value") for pair in pairs}


async def test_the_clients_trace_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    headers = {**SESSION, "traceparent": f"00-{TRACE}-{PARENT}-01"}
    with receiver(monkeypatch) as received:
        async with (
            running_upstream(say_hello) as upstream,
            running_proxy([model(upstream.base)], traces=True) as proxy,
        ):
            assert (await ask(proxy, BODY, headers=headers)).status == 200
    inner, outer = received.spans
    assert received.resource["service.name"] == "claude-code-proxy"
    assert (outer.name, outer.kind) == ("POST /v1/messages", Span.SPAN_KIND_SERVER)
    assert (outer.trace_id.hex(), outer.parent_span_id.hex()) == (TRACE, PARENT)
    assert (inner.name, inner.kind) == ("chat m", Span.SPAN_KIND_CLIENT)
    assert (inner.trace_id, inner.parent_span_id) == (outer.trace_id, outer.span_id)
    said = attributes(inner.attributes)
    assert said["gen_ai.operation.name"] == "chat"
    assert said["gen_ai.request.model"] == "m"
    assert said["gen_ai.provider.name"] == "custom"
    assert said["gen_ai.conversation.id"] == "a-session"
    assert said["gen_ai.usage.output_tokens"] > 0
    assert attributes(outer.attributes)["http.response.status_code"] == 200
    assert outer.start_time_unix_nano <= inner.events[0].time_unix_nano <= outer.end_time_unix_nano
    assert KEY.encode() not in received.raw
    assert b"hi" not in [text for span in received.spans for text in span.name.encode().split()]


@pytest.mark.parametrize("parent", ["", "nonsense", f"00-{'0' * 32}-{PARENT}-01"])
async def test_an_error_and_a_trace_of_our_own(parent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(_: Request, connection: Connection) -> None:
        await connection.whole(400, {"error": {"message": f"bad key {KEY}"}})

    with receiver(monkeypatch) as received:
        async with (
            running_upstream(refuse) as upstream,
            running_proxy([model(upstream.base)], traces=True) as proxy,
        ):
            assert (await ask(proxy, BODY, headers={"traceparent": parent})).status == 400
    for span in received.spans:
        assert span.status.code == Status.STATUS_CODE_ERROR
        assert attributes(span.attributes)["error.type"] == "invalid_request_error"
    assert len({span.trace_id for span in received.spans}) == 1
    assert received.spans[1].parent_span_id == b""
    assert KEY.encode() not in received.raw


async def test_a_request_that_reached_no_upstream_has_one_span(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiver(monkeypatch) as received:
        async with running_proxy([model("http://127.0.0.1:1")], traces=True) as proxy:
            assert (await ask(proxy, {**BODY, "max_tokens": -1})).status == 400
    assert [span.name for span in received.spans] == ["POST /v1/messages"]


async def test_a_receiver_that_is_not_there_stops_no_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    async with (
        running_upstream(say_hello) as upstream,
        running_proxy([model(upstream.base)], traces=True) as proxy,
    ):
        assert (await ask(proxy, BODY)).status == 200


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(ConfigError, match=r"keyless-claude-proxy\[otel\]"):
        Traces()
