"""How long one exchange may take, and how much it may hold."""

from __future__ import annotations

from dataclasses import dataclass, replace

from claude_code_proxy.config.models_yaml.model import ModelConfig
from claude_code_proxy.config.settings import ServerSettings


@dataclass(frozen=True, slots=True)
class Limits:
    """Times in seconds, sizes in bytes; docs/operations.md explains each."""

    hold: float
    first_byte: float
    idle: float
    ping_interval: float
    progress_interval: float
    settle: float
    linger: float
    client_stall: float
    retries: int
    response_bytes: int
    stream_bytes: int
    answer: float

    def of(self, config: ModelConfig) -> Limits:
        """A model's own limits where it has them, else these, the server's."""
        if config.hold is config.first_byte_timeout is config.idle_timeout is None:
            return self
        return replace(
            self,
            hold=self.hold if config.hold is None else config.hold,
            first_byte=config.first_byte_timeout or self.first_byte,
            idle=config.idle_timeout or self.idle,
        )

    @classmethod
    def of_server(cls, settings: ServerSettings) -> Limits:
        """The server's limits."""
        return cls(
            hold=settings.hold,
            first_byte=settings.first_byte_timeout,
            idle=settings.idle_timeout,
            ping_interval=settings.ping_interval,
            progress_interval=settings.progress_interval,
            settle=settings.settle_timeout,
            linger=settings.linger_timeout,
            client_stall=settings.client_stall_timeout,
            retries=settings.max_retries,
            response_bytes=settings.max_response_bytes,
            stream_bytes=settings.max_stream_bytes,
            answer=settings.answer_timeout,
        )
