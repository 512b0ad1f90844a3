"""Metrics in Prometheus's format, with the extra `[metrics]`.

Labels are bounded: models by their configured ids, at most `MAX_MODELS`; never a session, a key or content.
With several workers each writes its counts to files of a shared folder, and any of them answers for all.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from importlib import import_module
from types import SimpleNamespace
from typing import Any

from claude_code_proxy.config.problems import ConfigError
from claude_code_proxy.server.caller.call import Call
from claude_code_proxy.server.records.exchange_record import ExchangeRecord

EXTRA = "metrics"
FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""Where `prometheus_client` keeps the counts of several processes; read when it is imported."""
MAX_MODELS = 256
CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
_PREFIX = "claude_code_proxy_"
_MODEL = ("model", "provider")
_PROMPT = ("input", "cache_read", "cache_creation")
"""The kinds of tokens that a prompt is made of."""
_FIRST_BYTE = (0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120, 300)
_GAPS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_SECONDS = (0.25, 0.5, 1, 2, 5, 10, 20, 40, 80, 160, 320, 640)


@contextmanager
def shared_counts() -> Iterator[None]:
    """A folder in which the worker processes that start within keep their counts."""
    with tempfile.TemporaryDirectory(prefix="claude-code-proxy-metrics-") as folder:
        os.environ[FOLDER_VARIABLE] = folder
        try:
            yield
        finally:
            del os.environ[FOLDER_VARIABLE]


class Metrics:
    """A sink. Raises `ConfigError` when the extra is not installed."""

    def __init__(self) -> None:
        try:
            client: Any = import_module("prometheus_client")
        except ImportError:
            hint = f"pip install 'keyless-claude-proxy[{EXTRA}]'"
            raise ConfigError(f"metrics: yes needs the extra [{EXTRA}]: {hint}") from None
        self._client = client
        self._registry = client.CollectorRegistry()
        self._models: set[str] = set()
        model = _MODEL

        def counter(name: str, says: str, labels: tuple[str, ...]) -> Any:
            return client.Counter(_PREFIX + name, says, labels, registry=self._registry)

        def histogram(name: str, says: str, buckets: tuple[float, ...]) -> Any:
            return client.Histogram(_PREFIX + name, says, model, registry=self._registry, buckets=buckets)

        self._requests = counter("requests", "Requests to models.", (*model, "status", "outcome"))
        self._errors = counter("errors", "Requests that ended in an error, by its type.", (*model, "type"))
        self._tokens = counter("tokens", "Tokens by kind; the kinds are disjoint.", (*model, "kind"))
        self._attempts = counter("upstream_attempts", "Requests sent to upstreams.", model)
        self._retries = counter("upstream_retries", "Requests sent again.", model)
        self._upstream = counter(
            "upstream_errors", "Requests that upstreams did not take.", (*model, "status")
        )
        self._fallbacks = counter("fallbacks", "Models left for one that answers.", model)
        self._lost = counter(
            "cache_lost_tokens", "Tokens of prompts that were read again, by why.", (*model, "cause")
        )
        self._notices = counter("notices", "What conversions could not carry over.", ("code",))
        self._routed = counter("routed", "Requests that a rule sent to another model.", ("kind", *model))
        self._first = histogram("first_byte_seconds", "Time to the first byte of an answer.", _FIRST_BYTE)
        self._gaps = histogram("chunk_gap_seconds", "Time between two writes of a stream.", _GAPS)
        self._seconds = histogram("request_seconds", "Time to the end of a request.", _SECONDS)
        self._in_flight, self._waiting, self._open = (
            client.Gauge(_PREFIX + name, says, registry=self._registry, multiprocess_mode="livesum")
            for name, says in (
                ("requests_in_flight", "Requests that are under way."),
                ("requests_waiting", "Requests whose answer has not begun."),
                ("open_streams", "Requests whose answer has begun."),
            )
        )

    def add(self, record: ExchangeRecord) -> None:
        """Count one record."""
        name = record.model or "unknown"
        if name not in self._models:
            if len(self._models) >= MAX_MODELS:
                name = "other"
            self._models.add(name)
        model = name, record.provider
        self._requests.labels(*model, str(record.status), record.outcome).inc()
        if record.error:
            self._errors.labels(*model, record.error).inc()
        if record.attempts:
            self._attempts.labels(*model).inc(record.attempts)
        if record.attempts > 1 + record.fallbacks:
            self._retries.labels(*model).inc(record.attempts - 1 - record.fallbacks)
        for status in record.upstream_errors:
            self._upstream.labels(*model, status).inc()
        if record.fallbacks:
            self._fallbacks.labels(*model).inc(record.fallbacks)
        if record.cache_loss is not None:
            self._lost.labels(*model, record.cache_loss.cause).inc(record.cache_loss.tokens)
        if record.rule:
            self._routed.labels(record.rule, *model).inc()
        for code in record.notices:
            self._notices.labels(code).inc()
        self._seconds.labels(*model).observe(record.seconds)
        if record.first_byte_seconds is not None:
            self._first.labels(*model).observe(record.first_byte_seconds)
        gaps = self._gaps.labels(*model)
        for gap in record.gaps:
            gaps.observe(gap)
        record.gaps = ()  # many, and of use to nobody else
        if (usage := record.usage) is not None:
            thinking = min(usage.thinking_tokens or 0, usage.output_tokens)
            for kind, count in (
                ("input", usage.input_tokens),
                ("cache_read", usage.cache_read_input_tokens),
                ("cache_creation", usage.cache_creation_input_tokens),
                ("output", usage.output_tokens - thinking),
                ("thinking", thinking),
            ):
                if count > 0:
                    self._tokens.labels(*model, kind).inc(count)

    def now(self, calls: Collection[Call]) -> None:
        """What this process has under way."""
        begun = sum(call.started for call in calls)
        self._in_flight.set(len(calls))
        self._waiting.set(len(calls) - begun)
        self._open.set(begun)

    def render(self) -> bytes:
        """The text that Prometheus reads."""
        registry = self._registry
        if os.environ.get(FOLDER_VARIABLE):
            registry = self._client.CollectorRegistry()
            import_module("prometheus_client.multiprocess").MultiProcessCollector(registry)
        families = list(registry.collect())
        families.append(self._hit_ratio(families))
        text: bytes = self._client.generate_latest(SimpleNamespace(collect=lambda: families))
        return text

    def _hit_ratio(self, families: Iterable[Any]) -> Any:
        """The share of each model's prompts that caches served, of all processes: it is made of the sums."""
        name, says = f"{_PREFIX}cache_hit_ratio", "Share of the tokens of prompts that caches served."
        ratio = import_module("prometheus_client.core").GaugeMetricFamily(name, says, labels=_MODEL)
        prompts: dict[tuple[str, ...], dict[str, float]] = {}
        for family in families:
            for sample in family.samples if family.name == f"{_PREFIX}tokens" else ():
                if sample.name.endswith("_total") and sample.labels["kind"] in _PROMPT:
                    model = tuple(sample.labels[label] for label in _MODEL)
                    prompts.setdefault(model, {})[sample.labels["kind"]] = sample.value
        for model, kinds in prompts.items():
            ratio.add_metric(model, kinds.get("cache_read", 0.0) / sum(kinds.values()))
        return ratio
