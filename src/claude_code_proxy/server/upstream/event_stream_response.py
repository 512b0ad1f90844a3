"""A response in frames of AWS's event stream, read as server-sent events."""

from __future__ import annotations

from claude_code_proxy import http1
from claude_code_proxy.core.event_stream import BadFrame, FrameDecoder, to_sse
from claude_code_proxy.transports.protocol import Response


class EventStreamResponse:
    """Another response whose content is server-sent events."""

    content_type = "text/event-stream"

    def __init__(self, framed: Response) -> None:
        self.status = framed.status
        self.headers = http1.Headers.received(
            [(name.encode("latin-1"), value.encode("latin-1")) for name, value in framed.headers.items()]
        )
        self.headers["Content-Type"] = self.content_type
        self._framed = framed
        self._frames = FrameDecoder()
        self._bad: http1.AnswerError | None = None

    @property
    def at_end(self) -> bool:
        """Whether the whole body has arrived, read or not."""
        return self._framed.at_end

    async def read(self) -> bytes:
        """The events that came since the last read; b"" at the end. Raises `CutError` and `AnswerError`."""
        events = b""
        while self._bad is None and (data := await self._framed.read()):
            try:
                for frame in self._frames.feed(data):
                    events += to_sse(frame)
            except BadFrame as error:
                self._bad = http1.AnswerError(str(error))
            if events:
                return events
        if self._bad is not None:
            raise self._bad
        if not self._frames.at_frame_end:
            raise http1.CutError("the response ended inside a frame")
        return b""

    def close(self) -> None:
        """Be done with the response."""
        self._framed.close()
