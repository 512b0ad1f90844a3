"""Traces by OpenTelemetry, with the extra `[otel]`: two spans of each request, sent by OTLP over HTTP.

The outer span is the client's request, a child of the client's own where that sent `traceparent`. The inner
one is the call of the model, with the attributes of the conventions for generative AI
(https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans). Never content, never a key. Where spans
go, and how many, is said by OpenTelemetry's own variables (`OTEL_EXPORTER_OTLP_ENDPOINT`, ...).
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import Any

from claude_code_proxy.config.problems import ConfigError
from claude_code_proxy.server.records.exchange_record import ExchangeRecord

EXTRA = "otel"
_PROVIDERS = {
    "azure": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "deepseek": "deepseek",
    "gemini": "gcp.gemini",
    "groq": "groq",
    "mistral": "mistral_ai",
    "openai": "openai",
    "vertex": "gcp.vertex_ai",
    "xai": "x_ai",
}
"""The conventions' names for providers, by profile; others are called as their profile."""


class Traces:
    """A sink. Raises `ConfigError` when the extra is not installed."""

    def __init__(self) -> None:
        try:
            self._api: Any = import_module("opentelemetry.trace")
            sdk: Any = import_module("opentelemetry.sdk.trace")
            export: Any = import_module("opentelemetry.sdk.trace.export")
            resources: Any = import_module("opentelemetry.sdk.resources")
            otlp: Any = import_module("opentelemetry.exporter.otlp.proto.http.trace_exporter")
            propagation: Any = import_module("opentelemetry.trace.propagation.tracecontext")
        except ImportError:
            hint = f"pip install 'keyless-claude-proxy[{EXTRA}]'"
            raise ConfigError(f"traces: yes needs the extra [{EXTRA}]: {hint}") from None
        own_version = version("keyless-claude-proxy")
        resource = resources.Resource.create(
            {"service.name": "claude-code-proxy", "service.version": own_version}
        )
        self._provider = sdk.TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(export.BatchSpanProcessor(otlp.OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("claude_code_proxy", own_version)
        self._propagator = propagation.TraceContextTextMapPropagator()

    def add(self, record: ExchangeRecord) -> None:
        """Take one record; never waits."""
        began, ended = (round((record.ended - ago) * 1e9) for ago in (record.seconds, 0))  # nanoseconds
        parent = self._propagator.extract({"traceparent": record.traceparent})
        kinds = self._api.SpanKind
        outer = self._tracer.start_span(
            f"POST /v1/{record.operation}", parent, kinds.SERVER, _server(record), start_time=began
        )
        within = self._api.set_span_in_context(outer)
        if record.attempts:
            name = f"chat {record.model}"
            inner = self._tracer.start_span(name, within, kinds.CLIENT, _inference(record), start_time=began)
            if record.first_byte_seconds is not None:
                inner.add_event("first byte", timestamp=began + round(record.first_byte_seconds * 1e9))
            self._end(inner, record, ended)
        self._end(outer, record, ended)

    def close(self) -> None:
        """Send what waits. Blocks."""
        self._provider.shutdown()

    def _end(self, span: Any, record: ExchangeRecord, ended: int) -> None:
        if record.outcome == "error":
            span.set_status(self._api.Status(self._api.StatusCode.ERROR))
        span.end(ended)


def _server(record: ExchangeRecord) -> dict[str, Any]:
    return _error(record) | {
        "http.request.method": "POST",
        "http.route": f"/v1/{record.operation}",
        "http.response.status_code": record.status,
        "claude_code_proxy.request_id": record.request_id,
        "claude_code_proxy.request_class": record.request_class,
        "claude_code_proxy.agent_id": record.agent_id,
        "claude_code_proxy.notices": record.notices,
        "claude_code_proxy.fallbacks": record.fallbacks,
    }


def _inference(record: ExchangeRecord) -> dict[str, Any]:
    facts: dict[str, Any] = _error(record) | {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": _PROVIDERS.get(record.provider, record.provider),
        "gen_ai.request.model": record.model,
        "claude_code_proxy.attempts": record.attempts,
        "claude_code_proxy.upstream_errors": record.upstream_errors,
    }
    if record.session_id:
        facts["gen_ai.conversation.id"] = record.session_id
    if (usage := record.usage) is not None:
        read, written = usage.cache_read_input_tokens, usage.cache_creation_input_tokens
        facts |= {
            "gen_ai.usage.input_tokens": usage.input_tokens + read + written,
            "gen_ai.usage.output_tokens": usage.output_tokens,
            "gen_ai.usage.cache_read.input_tokens": read,
            "gen_ai.usage.cache_creation.input_tokens": written,
        }
    return facts


def _error(record: ExchangeRecord) -> dict[str, Any]:
    return {"error.type": record.error} if record.error else {}
