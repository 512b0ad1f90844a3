"""Stop sequences that the proxy itself finds in streamed text."""

from __future__ import annotations


class StopSequences:
    """Holds back text that may be the beginning of a stop sequence; cuts at the first whole one."""

    def __init__(self, sequences: tuple[str, ...]) -> None:
        self._sequences = tuple(sequence for sequence in sequences if sequence)
        self._held = ""
        self.matched: str | None = None

    def feed(self, text: str) -> str:
        """Take the next piece of text; return what is certain to stand before any stop sequence."""
        text = self._held + text
        self._held = ""
        found = [(text.find(sequence), sequence) for sequence in self._sequences]
        # The first to be complete wins, as it would if the text came letter by letter.
        hits = [(at + len(sequence), at, sequence) for at, sequence in found if at >= 0]
        if hits:
            _, at, self.matched = min(hits)
            return text[:at]
        keep = max((_overlap(text, sequence) for sequence in self._sequences), default=0)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    @property
    def held(self) -> bool:
        """Text is held back."""
        return bool(self._held)

    def flush(self) -> str:
        """The text ended: what was held back was no stop sequence."""
        held, self._held = self._held, ""
        return held


def _overlap(text: str, sequence: str) -> int:
    """Length of the longest end of `text` that is a proper beginning of `sequence`."""
    for length in range(min(len(text), len(sequence) - 1), 0, -1):
        if text.endswith(sequence[:length]):
            return length
    return 0
