"""What all requests of one server process share."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from claude_code_proxy.config.models_yaml.models_file import FixedModels, ModelsFile
from claude_code_proxy.config.settings import ServerSettings
from claude_code_proxy.core.answer_context import AnswerLimits
from claude_code_proxy.core.prompt_cache.cache_proof import CacheProof
from claude_code_proxy.core.request.tool_cache import ToolCache
from claude_code_proxy.core.tokens.calibration import Calibration
from claude_code_proxy.core.tokens.estimate import TextCounts
from claude_code_proxy.server.caller import ids
from claude_code_proxy.server.caller.access import Access
from claude_code_proxy.server.caller.admission import Admission
from claude_code_proxy.server.capture.capture_folder import CaptureFolder
from claude_code_proxy.server.hooks.user_hooks import Hooks
from claude_code_proxy.server.memory.cooldowns import Cooldowns
from claude_code_proxy.server.memory.learned import Learned
from claude_code_proxy.server.memory.model_lists import Catalogue
from claude_code_proxy.server.memory.native_lessons import NativeLessons
from claude_code_proxy.server.memory.pdf_texts import PdfTexts, pdf_texts
from claude_code_proxy.server.memory.token_counts import text_counts
from claude_code_proxy.server.page_fetcher import PageFetcher
from claude_code_proxy.server.records.exchange_record import Sink
from claude_code_proxy.server.records.live_feed import LiveFeed
from claude_code_proxy.server.records.metrics import Metrics
from claude_code_proxy.server.records.sessions import Sessions
from claude_code_proxy.server.records.statistics import SessionStats
from claude_code_proxy.server.records.traces import Traces
from claude_code_proxy.server.records.usage_store import UsageStore
from claude_code_proxy.server.upstream.dial_check import Reachability
from claude_code_proxy.server.upstream.limits import Limits
from claude_code_proxy.server.upstream.upstreams import Upstreams
from claude_code_proxy.transports.protocol import Transport

from .log import RequestLog, logger


@dataclass(slots=True)
class Gateway:
    """Settings, models, upstreams, counters. Everything that grows here is bounded; nothing holds a key."""

    settings: ServerSettings
    models: ModelsFile | FixedModels
    upstreams: Upstreams = field(init=False)
    access: Access = field(init=False)
    admission: Admission = field(init=False)
    stats: SessionStats = field(default_factory=SessionStats)
    calibration: Calibration = field(default_factory=Calibration)
    text_counts: TextCounts = field(init=False)
    log: RequestLog = field(default_factory=RequestLog)
    cooldowns: Cooldowns = field(default_factory=Cooldowns)
    learned: Learned = field(default_factory=Learned)
    native_lessons: NativeLessons = field(default_factory=NativeLessons)
    tool_cache: ToolCache = field(init=False)
    catalogue: Catalogue = field(init=False)
    answer_limits: AnswerLimits = field(init=False)
    limits: Limits = field(init=False)
    reachability: Reachability = field(default_factory=Reachability)
    hooks: Hooks | None = field(init=False, default=None)
    pdf_texts: PdfTexts | None = field(init=False)
    metrics: Metrics | None = field(init=False, default=None)
    usage: UsageStore | None = field(init=False, default=None)
    captures: CaptureFolder | None = field(init=False, default=None)
    cache_proof: CacheProof | None = field(init=False, default=None)
    sessions: Sessions | None = field(init=False, default=None)
    feed: LiveFeed | None = field(init=False, default=None)
    traces: Traces | None = field(init=False, default=None)
    pages: PageFetcher | None = field(init=False, default=None)
    sinks: list[Sink] = field(init=False)
    """What takes a record of each request."""
    transport: Transport | None = None
    """What is asked in the place of upstreams."""
    private: bool = False
    """Whether this server ends with one client's session; nobody else should rely on it."""

    async def close(self) -> None:
        """End what the requests have shared."""
        await self.upstreams.close()
        if self.pages is not None:
            await self.pages.close()
        if self.traces is not None:
            await asyncio.to_thread(self.traces.close)
        if self.usage is not None:
            await asyncio.to_thread(self.usage.close)
        if self.captures is not None:
            await asyncio.to_thread(self.captures.close)

    @property
    def in_flight(self) -> int:
        """Requests that are under way."""
        return self.admission.requests

    def __post_init__(self) -> None:
        self.tool_cache = ToolCache(ids.unguessable(), self.settings.max_json_depth)
        self.upstreams = Upstreams(self.models, self.settings, self.transport)
        self.answer_limits = AnswerLimits(
            self.settings.max_event_bytes, self.settings.max_tool_arguments, self.settings.max_tool_calls
        )
        self.limits = Limits.of_server(self.settings)
        self.access = Access(self.settings)
        self.admission = Admission(self.settings)
        self.catalogue = Catalogue(self.models, self.upstreams, self.settings.model_list_timeout)
        self.text_counts = text_counts(self.settings.token_counts)
        self.pdf_texts = pdf_texts(self.settings.pdf_pages, self.settings.pdf_timeout)
        if self.settings.metrics:
            self.metrics = Metrics()
        if self.settings.traces:
            self.traces = Traces()
        if self.settings.ui:
            self.feed = LiveFeed()
        if self.settings.cache_proof:
            self.cache_proof, self.sessions = CacheProof(), Sessions()
        if self.settings.usage_file is not None:
            self.usage = UsageStore(self.settings.usage_file)
        sinks = (self.metrics, self.usage, self.sessions, self.traces)
        self.sinks = [sink for sink in sinks if sink is not None]
        if (folder := self.settings.capture) is not None:
            settings = self.settings
            self.captures = CaptureFolder(
                folder,
                settings.capture_count,
                settings.capture_bytes,
                logger.warning,
                redact=settings.redact,
            )
        if self.settings.fetch:
            self.pages = PageFetcher(self.settings.fetch_timeout, self.settings.max_fetch_bytes)
        if self.settings.hooks is not None:
            self.hooks = Hooks(self.settings.hooks, strict=self.settings.hook_errors == "refuse")
