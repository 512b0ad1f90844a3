from __future__ import annotations

import gc
import weakref

from claude_code_proxy.core.errors.api import ApiError, invalid_request, let_go


def test_envelope() -> None:
    error = ApiError(529, "overloaded_error", "busy", headers={"retry-after": "3"})
    assert error.envelope("req_1") == {
        "type": "error",
        "error": {"type": "overloaded_error", "message": "busy"},
        "request_id": "req_1",
    }
    assert str(error) == "busy"


def test_details_go_into_the_error() -> None:
    error = ApiError(400, "invalid_request_error", "no", details={"error_code": "x"})
    assert error.envelope("req_1")["error"]["details"] == {"error_code": "x"}


def test_invalid_request() -> None:
    error = invalid_request("messages.0: must be an object")
    assert (error.status, error.type, error.headers) == (400, "invalid_request_error", {})


def test_letting_go_frees_what_an_error_came_through() -> None:
    class Held:
        """Something large in a frame."""

    def fail() -> None:
        held = Held()
        alive.append(weakref.ref(held))
        try:
            int("no number")
        except ValueError as error:
            failure = error  # a frame with its error in a variable
            raise invalid_request("no") from failure

    alive: list[weakref.ref[Held]] = []
    gc.disable()
    try:
        try:
            fail()
        except ApiError as error:
            assert alive[0]() is not None
            let_go(error)
        assert alive[0]() is None
    finally:
        gc.enable()
    let_go(None)
