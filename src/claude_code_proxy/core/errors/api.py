"""One small taxonomy of errors, in the words and shapes of the Anthropic API.

`ApiError` is what any room raises when a request must end with an Anthropic-shaped error; the server turns
it into a response, the block writer into an `event: error`.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

ErrorType = Literal[
    "invalid_request_error", "authentication_error", "billing_error", "permission_error", "not_found_error",
    "conflict_error", "request_too_large", "rate_limit_error", "timeout_error", "api_error",
    "overloaded_error",
]  # fmt: skip

ERROR_TYPES: frozenset[str] = frozenset(get_args(ErrorType))


class ApiError(Exception):
    """An error as the Anthropic API would answer it.

    `status` is the HTTP status, `headers` extra response headers (`retry-after`, `x-should-retry`),
    `details` goes into `error.details` where the API defines one. `retryable` says that the proxy itself
    may try the upstream again while nothing was sent to the client.
    """

    def __init__(
        self,
        status: int,
        type: ErrorType,  # noqa: A002 - the wire's own name
        message: str,
        *,
        headers: dict[str, str] | None = None,
        details: dict[str, Any] | None = None,
        retryable: bool = False,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.type: ErrorType = type
        self.message = message
        self.headers = headers or {}
        self.details = details
        self.retryable = retryable

    def envelope(self, request_id: str) -> dict[str, Any]:
        """The JSON body: `{"type": "error", "error": {...}, "request_id": ...}`."""
        error: dict[str, Any] = {"type": self.type, "message": self.message}
        if self.details is not None:
            error["details"] = self.details
        return {"type": "error", "error": error, "request_id": request_id}


class OwnLimitError(ApiError):
    """The proxy itself is short of something: another upstream would do no better."""


def let_go(error: BaseException | None) -> None:
    """Free what an error holds that was dealt with: the frames it came through, and so a whole request.

    A frame with its error in a variable is a circle, which would live until the garbage collector finds it.
    """
    while error is not None:
        earlier = error.__context__
        error.__traceback__ = error.__context__ = None
        error = earlier


def invalid_request(message: str) -> ApiError:
    """The client's request cannot be served as it stands; `message` starts with the JSON path."""
    return ApiError(400, "invalid_request_error", message)
