"""What an error text may say of the request that failed."""

from __future__ import annotations

from dataclasses import dataclass, field

from claude_code_proxy.core.providers.profile import Profile

_CUSTOM = Profile()


@dataclass(slots=True, kw_only=True)
class ErrorContext:
    """Built once per request, when it goes upstream.

    `profile` is the upstream's, `model` the client's name for the model, `api_base` the address, which texts
    name. `secret` is the key that was sent: should the upstream quote it, it is masked. `input_tokens` is our
    estimate of the prompt, `max_tokens` the output limit that was sent; 0: unknown.
    """

    profile: Profile = _CUSTOM
    model: str = ""
    api_base: str = ""
    secret: str = field(default="", repr=False)
    input_tokens: int = 0
    max_tokens: int = 0
