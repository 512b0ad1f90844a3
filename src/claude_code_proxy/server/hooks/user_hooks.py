"""The user's own two functions around every request: for what nobody could foresee.

`request_hook(payload)` gets the body as it is about to go upstream, in the upstream's format;
`response_hook(event)` gets each event for the client, or the whole message of an answer that is not
streamed, in Anthropic's. Each returns what shall go on; None means the object it was given.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from claude_code_proxy.config.problems import ConfigError
from claude_code_proxy.core import wire
from claude_code_proxy.core.errors.api import ApiError
from claude_code_proxy.core.report import Report
from claude_code_proxy.server.log import logger

Hook = Callable[[dict[str, Any]], Any]

_NAMES = ("request_hook", "response_hook")
_SLOW = 0.05  # seconds in which a response hook may hold up every other stream without a word in the log


class Hooks:
    """The hooks of one file. `strict`: an answer is refused where a hook fails, instead of going on without.

    Raises `ConfigError` where the file cannot be read or run, or has neither function.
    """

    def __init__(self, path: Path, *, strict: bool = False) -> None:
        self._path = path
        self._strict = strict
        module = ModuleType("claude_code_proxy_hooks")
        module.__file__ = str(path)
        try:
            exec(compile_hooks(path), module.__dict__)  # noqa: S102 - the operator's own file
        except Exception as error:
            raise ConfigError(f"hooks: {path} failed: {type(error).__name__}: {error}") from error
        self._request: Hook | None = getattr(module, "request_hook", None)
        self._response: Hook | None = getattr(module, "response_hook", None)
        for name, hook in zip(_NAMES, (self._request, self._response), strict=True):
            if hook is not None and not callable(hook):
                raise ConfigError(f"hooks: {path}: {name} is not a function")
        if self._request is None and self._response is None:
            raise ConfigError(f"hooks: {path} has neither {' nor '.join(_NAMES)}")
        if inspect.iscoroutinefunction(self._response):
            raise ConfigError(f"hooks: {path}: response_hook must be a plain function, not async")
        self._slow_told = False

    @property
    def sees_requests(self) -> bool:
        """Whether there is a request hook."""
        return self._request is not None

    @property
    def sees_answers(self) -> bool:
        """Whether there is a response hook."""
        return self._response is not None

    async def request(
        self, body: dict[str, Any], payload: bytes, report: Report
    ) -> tuple[dict[str, Any], bytes]:
        """The body and the bytes to send; `payload` are the bytes of `body`, which the hook may change.

        A plain function runs in a thread, so that it may take its time. Raises `ApiError` 500 if strict.
        """
        if self._request is None:
            return body, payload
        try:
            if inspect.iscoroutinefunction(self._request):
                result = await self._request(body)
            else:
                result = await asyncio.to_thread(self._request, body)
            result = _returned(result, body)
            changed = wire.dumps(result)
        except Exception as error:
            self._failed("request_hook", error, report)
            return wire.loads(payload), payload
        before = wire.loads(payload)
        if result == before:
            return result, payload
        for key in sorted({*before, *result}, key=str):
            if before.get(key, ...) != result.get(key, ...):
                report.changed("request_hook", f"upstream.{key}", f"changed by {self._path.name}")
        return result, changed

    def response(self, event: dict[str, Any], report: Report) -> dict[str, Any]:
        """The event, or the whole message, to send. Raises `ApiError` 500 if strict."""
        if self._response is None:
            return event
        kept = wire.dumps(event)
        started = time.monotonic()
        try:
            result = _returned(self._response(event), event, type_=wire.loads(kept).get("type"))
            changed = wire.dumps(result) != kept
        except Exception as error:
            self._failed("response_hook", error, report)
            original: dict[str, Any] = wire.loads(kept)
            return original
        self._note_slow(time.monotonic() - started)
        if changed and not any(notice.code == "response_hook" for notice in report.notices):
            report.changed("response_hook", "upstream", f"responses are changed by {self._path.name}")
        return result

    def _failed(self, name: str, error: Exception, report: Report) -> None:
        """Say once per request that a hook failed. Raises `ApiError` 500 if strict."""
        reason = f"{name} failed; what it was given goes on unchanged"
        if any(notice.reason == reason for notice in report.notices):
            return  # it fails for every event of the answer
        logger.error("hooks: %s of %s failed", name, self._path, exc_info=error)
        if self._strict:
            raise ApiError(
                500,
                "api_error",
                f"{name} of the proxy's hooks failed: {type(error).__name__} (see its log)",
                headers={"x-should-retry": "false"},
            ) from None
        report.dropped("hook_failed", "upstream", reason)

    def _note_slow(self, seconds: float) -> None:
        if seconds > _SLOW and not self._slow_told:
            self._slow_told = True
            logger.warning("hooks: response_hook took %.0f ms; every stream waits for it", seconds * 1000)


def _returned(result: Any, given: dict[str, Any], *, type_: str | None = None) -> dict[str, Any]:
    """What a hook means by `result`. Raises `TypeError` where that is no object, or one of another type."""
    result = given if result is None else result
    if not isinstance(result, dict):
        raise TypeError(f"it returned {type(result).__name__}, not a dict")
    if type_ is not None and result.get("type") != type_:
        raise TypeError(f"it changed the type of an event from {type_}")
    return result


def compile_hooks(path: Path) -> Any:
    """The compiled hooks file, not run. Raises `ConfigError` where it cannot be read or is no Python."""
    try:
        return compile(path.read_bytes(), str(path), "exec")
    except OSError as error:
        raise ConfigError(f"hooks: {path}: cannot be read: {error.strerror}") from error
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        raise ConfigError(f"hooks: {path}{f':{line}' if line else ''}: no valid Python: {error}") from error
