"""What all requests of one server process share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from claude_code_proxy.core.tokens import Calibration, TextCounts

from .log import RequestLog
from .stats import SessionStats
from .upstream import Upstreams

if TYPE_CHECKING:
    from claude_code_proxy.config.models import ModelsFile
    from claude_code_proxy.config.settings import ServerSettings


@dataclass(slots=True)
class Gateway:
    """Settings, models, upstreams, counters. Everything that grows here is bounded; nothing holds a key."""

    settings: ServerSettings
    models: ModelsFile
    upstreams: Upstreams = field(init=False)
    stats: SessionStats = field(default_factory=SessionStats)
    calibration: Calibration = field(default_factory=Calibration)
    text_counts: TextCounts = field(default_factory=TextCounts)
    log: RequestLog = field(default_factory=RequestLog)
    in_flight: int = 0

    def __post_init__(self) -> None:
        self.upstreams = Upstreams(self.models, self.settings)
