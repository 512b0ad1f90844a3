"""The server's settings: a flag beats an environment variable beats the default."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

from . import paths
from .problems import ConfigError
from .setting_values import (
    file,
    file_or_no,
    header,
    host,
    hosts,
    listen,
    one_of,
    search_url,
    seconds,
    size,
    switch,
    whole,
)

ENV_PREFIX = "CLAUDE_CODE_PROXY_"

LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["text", "json"]
HookErrors = Literal["ignore", "refuse"]
TokenCounts = Literal["estimate", "exact"]
Transport = Literal["http1", "http2"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """What `claude-code-proxy serve` runs with. Times are in seconds."""

    host: str = "127.0.0.1"
    port: int = 8082
    allow_remote: bool = False
    allowed_hosts: tuple[str, ...] = ()
    admin_listen: tuple[str, int] | None = None
    admin_tokens: Path | None = None
    client_tokens: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    allow_plain_http: bool = False
    models: Path
    default_model: str | None = None
    log_level: LogLevel = "info"
    log_format: LogFormat = "text"
    traces: bool = False
    metrics: bool = False
    cache_proof: bool = True
    ui: bool = True
    usage_file: Path | None = None
    capture: Path | None = None
    capture_count: int = 100
    capture_bytes: int = 256 << 20
    redact: bool = False
    max_retries: int = 2
    hold: float = 10.0
    ping_interval: float = 10.0
    progress_interval: float = 60.0
    connect_timeout: float = 10.0
    first_byte_timeout: float = 600.0
    idle_timeout: float = 600.0
    max_body_bytes: int = 64 << 20
    max_unpack_ratio: int = 200
    max_json_elements: int = 500_000
    max_json_depth: int = 128
    max_name_length: int = 256
    max_bytes_in_flight: int = 512 << 20
    body_timeout: float = 300.0
    max_requests: int = 1024
    max_requests_per_key: int = 1024
    max_response_bytes: int = 64 << 20
    max_stream_bytes: int = 512 << 20
    answer_timeout: float = 7200.0
    max_event_bytes: int = 32 << 20
    max_tool_arguments: int = 16 << 20
    max_tool_calls: int = 1000
    max_connections: int = 4096
    max_connections_per_address: int = 2048
    max_head_bytes: int = 64 << 10
    max_headers: int = 200
    head_timeout: float = 30.0
    drain_timeout: float = 30.0
    settle_timeout: float = 2.0
    linger_timeout: float = 0.25
    client_stall_timeout: float = 600.0
    search_timeout: float = 15.0
    fetch_timeout: float = 15.0
    max_fetch_bytes: int = 2 << 20
    safety_timeout: float = 30.0
    model_list_timeout: float = 2.5
    pdf_pages: int = 100
    pdf_timeout: float = 10.0
    transport: Transport = "http1"
    upstream_connections: int = 1024
    connection_age: float = 600.0
    separate_connections: bool = False
    ca_bundle: Path | None = None
    client_certificate: Path | None = None
    workers: int = 1
    token_counts: TokenCounts = "estimate"  # noqa: S105 - tokens of text, no secret
    search_url: str | None = None
    search_key_header: str = "Authorization"
    fetch: bool = False
    hooks: Path | None = None
    hook_errors: HookErrors = "ignore"

    @classmethod
    def default(cls, name: str) -> object | None:
        """The default of a field; None for none, or for one that depends on the environment (`models`)."""
        value = cls.__dataclass_fields__[name].default
        if isinstance(value, bool):
            return "yes" if value else "no"
        return None if value is MISSING or value == () else value

    @classmethod
    def load(cls, flags: Mapping[str, str | None], env: Mapping[str, str]) -> ServerSettings:
        """The settings from `flags` (by field name, None where not given) and the environment.

        An empty variable counts as not set. Raises `ConfigError` that names the flag or variable.
        """
        values: dict[str, Any] = {"models": paths.models_file(env), "usage_file": paths.usage_file(env)}
        problems: list[str] = []
        for setting in SETTINGS:
            for origin, text in _sources(setting, flags, env):
                if text:
                    try:
                        values[setting.name] = setting.parse(text)
                    except ValueError as error:
                        problems.append(f"{origin}: {error}, not {text!r}")
                    break
        if problems:
            raise ConfigError("\n".join(problems))
        return cls(**values)


class Setting(NamedTuple):
    """How one field of `ServerSettings` is given: `parse` raises `ValueError` saying what it must be."""

    name: str
    parse: Callable[[str], Any]
    metavar: str
    help: str
    older_env: str | None = None

    @property
    def flag(self) -> str:
        """The command-line flag."""
        return "--" + self.name.replace("_", "-")

    @property
    def is_switch(self) -> bool:
        """Whether the flag may stand alone: yes."""
        return self.parse is switch

    @property
    def env(self) -> str:
        """The environment variable."""
        return ENV_PREFIX + self.name.upper()


def _sources(
    setting: Setting, flags: Mapping[str, str | None], env: Mapping[str, str]
) -> list[tuple[str, str | None]]:
    sources = [(setting.flag, flags.get(setting.name)), (setting.env, env.get(setting.env))]
    if setting.older_env:
        sources.append((setting.older_env, env.get(setting.older_env)))
    return sources


SETTINGS: tuple[Setting, ...] = (
    Setting("host", host, "ADDRESS", "address to listen on"),
    Setting("port", whole(0, 65535), "PORT", "port to listen on; 0 picks a free one", "PORT"),
    Setting("allow_remote", switch, "[no]", "listen on an address that other machines can reach"),
    Setting(
        "allowed_hosts",
        hosts,
        "NAMES",
        "more names by which requests and web pages may call this server, separated by commas; * is any",
    ),
    Setting(
        "admin_listen",
        listen,
        "[ADDRESS:]PORT",
        "a second address to listen on (this machine's own where only a port is given), which no limit on "
        "clients starves: for health, and instead of the first for statistics, metrics and tests",
    ),
    Setting(
        "admin_tokens",
        file,
        "FILE",
        "tokens, hashed, with which other machines may see what only this one may",
    ),
    Setting(
        "client_tokens",
        file,
        "FILE",
        "tokens, hashed, of which each request needs one; the provider's key then comes in x-upstream-key",
    ),
    Setting("tls_cert", file, "FILE", "certificate with which to listen (PEM), with its chain: https"),
    Setting("tls_key", file, "FILE", "the key of that certificate, where it is not in the same file"),
    Setting(
        "allow_plain_http",
        switch,
        "[no]",
        "send keys over http:// to hosts outside of private networks, where others can read them",
    ),
    Setting("models", file, "FILE", "the models file", "CUSTOM_MODELS_FILE"),
    Setting(
        "default_model", str, "MODEL", "model of models.yaml for every claude-... name that is not configured"
    ),
    Setting("log_level", one_of(get_args(LogLevel)), "LEVEL", "debug, info, warning or error", "LOG_LEVEL"),
    Setting("log_format", one_of(get_args(LogFormat)), "WORD", "text, or json: one object a line"),
    Setting(
        "traces",
        switch,
        "[no]",
        "send traces to OTEL_EXPORTER_OTLP_ENDPOINT (extra [otel])",
    ),
    Setting("metrics", switch, "no", "answer GET /metrics for Prometheus (extra [metrics])"),
    Setting("cache_proof", switch, "no", "find out why a provider's cache did not serve a session's prompt"),
    Setting("ui", switch, "no", "answer GET /ui, the page that shows sessions and requests live"),
    Setting(
        "usage_file",
        file_or_no,
        "FILE",
        "where token counts are kept for `claude-code-proxy usage`; no keeps none",
    ),
    Setting("capture", file, "DIR", "keep the last exchanges, whole, as files in this folder"),
    Setting("capture_count", whole(1, 1_000_000), "N", "most exchanges that are kept"),
    Setting("capture_bytes", size, "SIZE", "most bytes of exchanges that are kept"),
    Setting("redact", switch, "no", "keep exchanges with filler in the place of texts"),
    Setting(
        "max_retries",
        whole(0, 10),
        "N",
        "retries before the response begins, when the upstream is down or overloaded",
        "MAX_RETRIES",
    ),
    Setting(
        "hold", seconds(0), "S", "longest wait for the upstream's first event before the response begins"
    ),
    Setting("ping_interval", seconds(1), "S", "silence after which a stream gets a ping"),
    Setting(
        "progress_interval",
        seconds(1),
        "S",
        "silence after which a stream gets an event that counts as progress",
    ),
    Setting("connect_timeout", seconds(0.1), "S", "longest time to connect to an upstream"),
    Setting(
        "first_byte_timeout", seconds(1), "S", "longest wait for the first byte of an upstream's response"
    ),
    Setting("idle_timeout", seconds(1), "S", "longest silence of an upstream within its response"),
    Setting("max_body_bytes", size, "SIZE", "largest request body (32000000, 64MiB)"),
    Setting(
        "max_unpack_ratio",
        whole(1, 10_000),
        "N",
        "how many times its size a compressed request body may become; 1 MiB it always may",
    ),
    Setting("max_json_elements", whole(1, 1_000_000_000), "N", "most elements in the JSON of a request"),
    Setting("max_json_depth", whole(8, 200), "N", "most levels of objects and arrays in a request"),
    Setting("max_name_length", whole(16, 65_536), "N", "most characters in the name of a model or a session"),
    Setting("max_bytes_in_flight", size, "SIZE", "most bytes of request bodies that are held at once"),
    Setting("body_timeout", seconds(1), "S", "longest time for a request body to arrive"),
    Setting("max_requests", whole(1, 1_000_000), "N", "most requests under way at once"),
    Setting("max_requests_per_key", whole(1, 1_000_000), "N", "most requests under way at once with one key"),
    Setting("max_response_bytes", size, "SIZE", "largest response that is held in memory"),
    Setting("max_stream_bytes", size, "SIZE", "largest streamed response of an upstream"),
    Setting("answer_timeout", seconds(1), "S", "longest time for the response of an upstream"),
    Setting("max_event_bytes", size, "SIZE", "largest event in the stream of an upstream"),
    Setting("max_tool_arguments", size, "SIZE", "most characters in the arguments of one tool call"),
    Setting("max_tool_calls", whole(1, 1_000_000), "N", "most tool calls in one response"),
    Setting("max_connections", whole(1, 1_000_000), "N", "most client connections at once"),
    Setting(
        "max_connections_per_address",
        whole(1, 1_000_000),
        "N",
        "most client connections at once from one address, which may be that of a reverse proxy",
    ),
    Setting("max_head_bytes", size, "SIZE", "largest head of a request: its path and headers"),
    Setting("max_headers", whole(8, 10_000), "N", "most headers of a request"),
    Setting(
        "head_timeout",
        seconds(1),
        "S",
        "longest time for the head of a request, and longest silence in its body",
    ),
    Setting("drain_timeout", seconds(0), "S", "longest wait for running requests at shutdown"),
    Setting("settle_timeout", seconds(0), "S", "longest wait for token counts after an answer is complete"),
    Setting(
        "linger_timeout", seconds(0), "S", "longest wait for the end of a connection that is to be reused"
    ),
    Setting("client_stall_timeout", seconds(0), "S", "longest wait for a client that does not read"),
    Setting("search_timeout", seconds(0), "S", "longest wait for the search service"),
    Setting("fetch_timeout", seconds(0), "S", "longest time to fetch a web page"),
    Setting("max_fetch_bytes", size, "SIZE", "how much of a web page is read"),
    Setting("safety_timeout", seconds(0), "S", "longest wait for the verdicts of a safety_model"),
    Setting("model_list_timeout", seconds(0), "S", "longest wait for the providers' lists of models"),
    Setting("pdf_pages", whole(1, 10_000), "N", "most pages of a PDF that are sent as text (extra [pdf])"),
    Setting("pdf_timeout", seconds(0.1), "S", "longest time to read the text of a PDF"),
    Setting("transport", one_of(get_args(Transport)), "WORD", "http1, or http2 with the extra [http2]"),
    Setting("upstream_connections", whole(1, 1_000_000), "N", "most connections in use to one upstream"),
    Setting("connection_age", seconds(0), "S", "longest use of one connection to an upstream"),
    Setting(
        "separate_connections",
        switch,
        "[no]",
        "use a connection to an upstream for one key only, where the upstream is not trusted (http1)",
    ),
    Setting("ca_bundle", file, "FILE", "certificate authorities to trust beside the system's"),
    Setting("client_certificate", file, "FILE", "certificate and key to show to upstreams (PEM)"),
    Setting("workers", whole(1, 64), "N", "number of server processes"),
    Setting(
        "token_counts",
        one_of(get_args(TokenCounts)),
        "WORD",
        "estimate, or exact: by the tokenizer of the extra [tokens]",
    ),
    Setting(
        "search_url",
        search_url,
        "URL",
        "search service for models without web search; {query} in the URL is replaced by the query",
    ),
    Setting(
        "search_key_header",
        header,
        "NAME",
        "header of that service for the key that a client sends as x-search-key",
    ),
    Setting(
        "fetch",
        switch,
        "[no]",
        "fetch public web pages that requests with web_fetch name (extra [fetch])",
    ),
    Setting("hooks", file, "FILE", "Python file with request_hook(payload) and response_hook(event)"),
    Setting(
        "hook_errors",
        one_of(get_args(HookErrors)),
        "WORD",
        "ignore a hook that fails, or refuse the request",
    ),
)
