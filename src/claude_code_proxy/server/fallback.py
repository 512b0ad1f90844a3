"""Moving on to another model before the first byte, and coming back."""

from __future__ import annotations

import time

from claude_code_proxy.config.models_yaml.model import ModelConfig
from claude_code_proxy.core.errors.api import ApiError, OwnLimitError
from claude_code_proxy.core.errors.context import ErrorContext
from claude_code_proxy.core.errors.upstream import read_error
from claude_code_proxy.core.header_values import retry_delay
from claude_code_proxy.http1 import Headers
from claude_code_proxy.server.caller.call import Call

from .gateway import Gateway
from .log import logger

_LONG_WAIT = 30.0  # seconds of Retry-After worth waiting for: Claude Code gives up above 60


def is_reason(error: ApiError) -> bool:
    """Whether another provider may do what this one cannot: it is down, overloaded, or out of quota."""
    if error.status == 429:
        return (
            error.headers.get("x-should-retry") == "false"
            or retry_delay(error.headers.get("retry-after", "")) > _LONG_WAIT
        )
    return error.status == 402 or (error.status >= 500 and not isinstance(error, OwnLimitError))


def refusal(status: int, headers: Headers, body: bytes, config: ModelConfig, call: Call) -> ApiError:
    """A passthrough upstream's refusal as an error."""
    lowered = {name.lower(): value for name, value in headers.items()}
    context = ErrorContext(
        profile=config.profile, model=call.model, api_base=config.api_base, secret=call.key
    )
    return read_error(status, lowered, body, context, now=time.time())


def note_move(
    gateway: Gateway, call: Call, failed: ModelConfig, error: ApiError, following: ModelConfig
) -> None:
    """Remember, log and count that `following` serves instead of `failed`."""
    gateway.cooldowns.add(failed.model_id, call.session_id, error)
    gateway.stats.add_fallback(failed.model_id, following.model_id)
    call.fallbacks += 1
    call.extra_headers.pop("x-upstream-request-id", None)
    logger.warning(
        "%s: %s returned %d %s: moved on to %s (%s)",
        call.request_id,
        failed.model_id,
        error.status,
        error.type,
        following.model_id,
        call.redacted(error).message,
    )


def note_answer(gateway: Gateway, call: Call, config: ModelConfig) -> None:
    """Log that a model which was left alone answers again."""
    if gateway.cooldowns.clear(config.model_id, call.session_id):
        logger.warning("%s: %s works again", call.request_id, config.model_id)
