"""Reasoning of earlier turns: what of it goes back to this upstream."""

from __future__ import annotations

from typing import Any

from claude_code_proxy.core.continuity import SealedReasoning, open_reasoning
from claude_code_proxy.core.conversation import Thinking
from claude_code_proxy.core.providers.profile import Profile
from claude_code_proxy.core.report import Report
from claude_code_proxy.core.request.fields import check_nesting

_SEAL_KINDS = {"reasoning_details": "rd", "responses_item": "ri", "reasoning_opaque": "ro"}
"""The kind of seal that each way of replaying takes back; the other ways take text."""


class EarlierReasoning:
    """Reads thinking blocks of the history of a request to `model`, the client's name for it."""

    def __init__(self, profile: Profile, model: str, report: Report) -> None:
        self._profile = profile
        self._model = model
        self._report = report
        self._kind = _SEAL_KINDS.get(profile.reasoning_replay)

    def read(self, text: str, signature: Any, path: str) -> list[Thinking]:
        """The part for a block with a readable `text` and our seal in `signature`; none if neither helps."""
        if self._profile.reasoning_replay == "none":
            self._drop(path, "this provider does not accept earlier reasoning")
            return []
        sealed: SealedReasoning | None = None
        # Opening a seal costs time; do it only where its content can be used.
        if (self._kind or not text) and isinstance(signature, str):
            sealed = open_reasoning(signature)
        if sealed and not text:
            text = _sealed_text(sealed)
        if sealed and not self._is_own(sealed):
            sealed = None
        if sealed:
            check_nesting(sealed.items, f"{path}.signature")
        if not (text or sealed):
            self._drop(path, "no text, and not sealed by this provider")
            return []
        return [Thinking(text, sealed)]

    def _drop(self, path: str, reason: str) -> None:
        self._report.dropped("thinking_dropped", path, reason, quiet=True)

    def _is_own(self, sealed: SealedReasoning) -> bool:
        """Whether the model of this request made the state, and its upstream takes the kind back."""
        made_by = (sealed.kind, sealed.profile, sealed.model)
        return bool(sealed.items) and made_by == (self._kind, self._profile.name, self._model)


def _sealed_text(sealed: SealedReasoning) -> str:
    """The readable reasoning inside a seal, for blocks whose text was hidden from the client."""
    texts: list[str] = []
    for item in sealed.items:
        match item:
            case str(text) if sealed.kind == "text":
                texts.append(text)
            case {"text": str(text)} | {"summary": str(text)}:
                texts.append(text)
            case _:
                pass
    return "".join(texts)
