"""The server's settings: a flag beats an environment variable beats the default."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
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


def setting(
    default: Any,
    parse: Callable[[str], Any],
    metavar: str,
    help: str,  # noqa: A002
    older_env: str | None = None,
) -> Any:
    """A field of `ServerSettings`, and how it is given: see `Setting`."""
    return field(default=default, metadata={"given": (parse, metavar, help, older_env)})


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """What `claude-code-proxy serve` runs with. Times are in seconds."""

    host: str = setting("127.0.0.1", host, "ADDRESS", "address to listen on")
    port: int = setting(8082, whole(0, 65535), "PORT", "port to listen on; 0 picks a free one", "PORT")
    allow_remote: bool = setting(False, switch, "[no]", "listen on an address that other machines can reach")
    allowed_hosts: tuple[str, ...] = setting(
        (),
        hosts,
        "NAMES",
        "more names by which requests and web pages may call this server, separated by commas; * is any",
    )
    admin_listen: tuple[str, int] | None = setting(
        None,
        listen,
        "[ADDRESS:]PORT",
        "a second address to listen on (this machine's own where only a port is given), which no limit on "
        "clients starves: for health, and instead of the first for statistics, metrics and tests",
    )
    admin_tokens: Path | None = setting(
        None, file, "FILE", "tokens, hashed, with which other machines may see what only this one may"
    )
    client_tokens: Path | None = setting(
        None,
        file,
        "FILE",
        "tokens, hashed, of which each request needs one; the provider's key then comes in x-upstream-key",
    )
    tls_cert: Path | None = setting(
        None, file, "FILE", "certificate with which to listen (PEM), with its chain: https"
    )
    tls_key: Path | None = setting(
        None, file, "FILE", "the key of that certificate, where it is not in the same file"
    )
    allow_plain_http: bool = setting(
        False,
        switch,
        "[no]",
        "send keys over http:// to hosts outside of private networks, where others can read them",
    )
    models: Path = setting(MISSING, file, "FILE", "the models file", "CUSTOM_MODELS_FILE")
    default_model: str | None = setting(
        None, str, "MODEL", "model of models.yaml for every claude-... name that is not configured"
    )
    log_level: LogLevel = setting(
        "info", one_of(get_args(LogLevel)), "LEVEL", "debug, info, warning or error", "LOG_LEVEL"
    )
    log_format: LogFormat = setting(
        "text", one_of(get_args(LogFormat)), "WORD", "text, or json: one object a line"
    )
    traces: bool = setting(False, switch, "[no]", "send traces to OTEL_EXPORTER_OTLP_ENDPOINT (extra [otel])")
    metrics: bool = setting(False, switch, "no", "answer GET /metrics for Prometheus (extra [metrics])")
    cache_proof: bool = setting(
        True, switch, "no", "find out why a provider's cache did not serve a session's prompt"
    )
    ui: bool = setting(True, switch, "no", "answer GET /ui, the page that shows sessions and requests live")
    usage_file: Path | None = setting(
        None, file_or_no, "FILE", "where token counts are kept for `claude-code-proxy usage`; no keeps none"
    )
    capture: Path | None = setting(
        None, file, "DIR", "keep the last exchanges, whole, as files in this folder"
    )
    capture_count: int = setting(100, whole(1, 1_000_000), "N", "most exchanges that are kept")
    capture_bytes: int = setting(256 << 20, size, "SIZE", "most bytes of exchanges that are kept")
    redact: bool = setting(False, switch, "no", "keep exchanges with filler in the place of texts")
    max_retries: int = setting(
        2,
        whole(0, 10),
        "N",
        "retries before the response begins, when the upstream is down or overloaded",
        "MAX_RETRIES",
    )
    hold: float = setting(
        10.0, seconds(0), "S", "longest wait for the upstream's first event before the response begins"
    )
    ping_interval: float = setting(10.0, seconds(1), "S", "silence after which a stream gets a ping")
    progress_interval: float = setting(
        60.0, seconds(1), "S", "silence after which a stream gets an event that counts as progress"
    )
    connect_timeout: float = setting(10.0, seconds(0.1), "S", "longest time to connect to an upstream")
    first_byte_timeout: float = setting(
        600.0, seconds(1), "S", "longest wait for the first byte of an upstream's response"
    )
    idle_timeout: float = setting(
        600.0, seconds(1), "S", "longest silence of an upstream within its response"
    )
    max_body_bytes: int = setting(64 << 20, size, "SIZE", "largest request body (32000000, 64MiB)")
    max_unpack_ratio: int = setting(
        200,
        whole(1, 10_000),
        "N",
        "how many times its size a compressed request body may become; 1 MiB it always may",
    )
    max_json_elements: int = setting(
        500_000, whole(1, 1_000_000_000), "N", "most elements in the JSON of a request"
    )
    max_json_depth: int = setting(128, whole(8, 200), "N", "most levels of objects and arrays in a request")
    max_name_length: int = setting(
        256, whole(16, 65_536), "N", "most characters in the name of a model or a session"
    )
    max_bytes_in_flight: int = setting(
        512 << 20, size, "SIZE", "most bytes of request bodies that are held at once"
    )
    body_timeout: float = setting(300.0, seconds(1), "S", "longest time for a request body to arrive")
    max_requests: int = setting(1024, whole(1, 1_000_000), "N", "most requests under way at once")
    max_requests_per_key: int = setting(
        1024, whole(1, 1_000_000), "N", "most requests under way at once with one key"
    )
    max_response_bytes: int = setting(64 << 20, size, "SIZE", "largest response that is held in memory")
    max_stream_bytes: int = setting(512 << 20, size, "SIZE", "largest streamed response of an upstream")
    answer_timeout: float = setting(7200.0, seconds(1), "S", "longest time for the response of an upstream")
    max_event_bytes: int = setting(32 << 20, size, "SIZE", "largest event in the stream of an upstream")
    max_tool_arguments: int = setting(
        16 << 20, size, "SIZE", "most characters in the arguments of one tool call"
    )
    max_tool_calls: int = setting(1000, whole(1, 1_000_000), "N", "most tool calls in one response")
    max_connections: int = setting(4096, whole(1, 1_000_000), "N", "most client connections at once")
    max_connections_per_address: int = setting(
        2048,
        whole(1, 1_000_000),
        "N",
        "most client connections at once from one address, which may be that of a reverse proxy",
    )
    max_head_bytes: int = setting(64 << 10, size, "SIZE", "largest head of a request: its path and headers")
    max_headers: int = setting(200, whole(8, 10_000), "N", "most headers of a request")
    head_timeout: float = setting(
        30.0, seconds(1), "S", "longest time for the head of a request, and longest silence in its body"
    )
    drain_timeout: float = setting(30.0, seconds(0), "S", "longest wait for running requests at shutdown")
    settle_timeout: float = setting(
        2.0, seconds(0), "S", "longest wait for token counts after an answer is complete"
    )
    linger_timeout: float = setting(
        0.25, seconds(0), "S", "longest wait for the end of a connection that is to be reused"
    )
    client_stall_timeout: float = setting(
        600.0, seconds(0), "S", "longest wait for a client that does not read"
    )
    search_timeout: float = setting(15.0, seconds(0), "S", "longest wait for the search service")
    fetch_timeout: float = setting(15.0, seconds(0), "S", "longest time to fetch a web page")
    max_fetch_bytes: int = setting(2 << 20, size, "SIZE", "how much of a web page is read")
    safety_timeout: float = setting(30.0, seconds(0), "S", "longest wait for the verdicts of a safety_model")
    model_list_timeout: float = setting(
        2.5, seconds(0), "S", "longest wait for the providers' lists of models"
    )
    pdf_pages: int = setting(
        100, whole(1, 10_000), "N", "most pages of a PDF that are sent as text (extra [pdf])"
    )
    pdf_timeout: float = setting(10.0, seconds(0.1), "S", "longest time to read the text of a PDF")
    transport: Transport = setting(
        "http1", one_of(get_args(Transport)), "WORD", "http1, or http2 with the extra [http2]"
    )
    upstream_connections: int = setting(
        1024, whole(1, 1_000_000), "N", "most connections in use to one upstream"
    )
    connection_age: float = setting(600.0, seconds(0), "S", "longest use of one connection to an upstream")
    separate_connections: bool = setting(
        False,
        switch,
        "[no]",
        "use a connection to an upstream for one key only, where the upstream is not trusted (http1)",
    )
    ca_bundle: Path | None = setting(
        None, file, "FILE", "certificate authorities to trust beside the system's"
    )
    client_certificate: Path | None = setting(
        None, file, "FILE", "certificate and key to show to upstreams (PEM)"
    )
    workers: int = setting(1, whole(1, 64), "N", "number of server processes")
    token_counts: TokenCounts = setting(
        "estimate",
        one_of(get_args(TokenCounts)),
        "WORD",
        "estimate, or exact: by the tokenizer of the extra [tokens]",
    )
    search_url: str | None = setting(
        None,
        search_url,
        "URL",
        "search service for models without web search; {query} in the URL is replaced by the query",
    )
    search_key_header: str = setting(
        "Authorization",
        header,
        "NAME",
        "header of that service for the key that a client sends as x-search-key",
    )
    fetch: bool = setting(
        False, switch, "[no]", "fetch public web pages that requests with web_fetch name (extra [fetch])"
    )
    hooks: Path | None = setting(
        None, file, "FILE", "Python file with request_hook(payload) and response_hook(event)"
    )
    hook_errors: HookErrors = setting(
        "ignore", one_of(get_args(HookErrors)), "WORD", "ignore a hook that fails, or refuse the request"
    )

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


SETTINGS = tuple(Setting(field.name, *field.metadata["given"]) for field in fields(ServerSettings))
