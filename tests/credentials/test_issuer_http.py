"""What an issuer may answer, and what it does when it does not."""

from __future__ import annotations

import socket
import threading
from typing import Any

import pytest

from claude_code_proxy.credentials.issuer_http import Reply, ask
from claude_code_proxy.credentials.source import CredentialError
from tests.credentials.issuers import Answer, Asked, Issuer


@pytest.mark.parametrize(
    ("answer", "status", "body"),
    [
        ((200, {"a": "b"}), 200, {"a": "b"}),
        ((200, ["a"]), 200, {}),
        ((404, b"<html>"), 404, {}),
        ((400, {"error": "invalid_grant"}), 400, {"error": "invalid_grant"}),
        ((200, b"[" * 100_000), 200, {}),
        ((200, b"\xff\xfe"), 200, {}),
    ],
)
def test_answers(answer: Answer, status: int, body: dict[str, Any]) -> None:
    with Issuer(lambda _: answer) as issuer:
        assert ask(f"{issuer.url}/x", headers={"X-A": "1"}) == Reply(status, body)
        assert issuer.asked[0].headers["x-a"] == "1"


def test_bodies() -> None:
    with Issuer(lambda asked: (200, {"method": asked.method, "body": asked.body})) as issuer:
        assert ask(issuer.url, as_json={"a": "b c"}).body == {"method": "POST", "body": {"a": "b c"}}
        assert ask(issuer.url, as_form={"a": "b c"}).body == {"method": "POST", "body": {"a": "b c"}}


@pytest.mark.parametrize("answer", [(500, {}), (503, b"busy"), (429, {}), (-1, None)])
def test_an_issuer_that_is_down_may_come_back(answer: Answer) -> None:
    with Issuer(lambda _: answer) as issuer, pytest.raises(CredentialError, match=r"^GitHub ") as caught:
        ask(issuer.url, issuer="GitHub")
    assert caught.value.transient


@pytest.mark.parametrize("body", [b"5\r\nhel", b"zz\r\n", b""])
def test_a_refusal_that_is_cut_has_no_words(body: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 400 No\r\nTransfer-Encoding: chunked\r\n\r\n" + body)

        server = threading.Thread(target=serve)
        server.start()
        assert ask(f"http://127.0.0.1:{listener.getsockname()[1]}/") == Reply(400, {})
        server.join()


def test_an_issuer_that_does_not_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(CredentialError, match=r"within 0\.2 s") as caught:
            ask(url, seconds=0.2)
    assert caught.value.transient
    with pytest.raises(CredentialError, match="cannot be reached") as caught:
        ask(url)
    assert caught.value.transient


def test_a_token_follows_no_redirect() -> None:
    def answer(asked: Asked) -> Answer:
        return (302, b"") if asked.path == "/" else (200, {})

    with Issuer(answer) as issuer:
        assert ask(f"{issuer.url}/", headers={"Authorization": "token x"}).status == 302
        assert issuer.paths == ["/"]


def test_a_token_goes_over_no_open_line() -> None:
    with pytest.raises(CredentialError, match="over https only"):
        ask("http://issuer.example/")


def test_reading_a_reply() -> None:
    reply = Reply(200, {"a": {"b": "c", "d": 1}, "n": "15", "m": 2, "x": "y", "l": [1], "big": "1e999"})
    assert (reply.text("a", "b"), reply.text("a", "d"), reply.text("a", "b", "c"), reply.text("z")) == (
        "c",
        "",
        "",
        "",
    )
    assert [reply.number(name) for name in ("n", "m", "x", "l", "z", "big")] == [15.0, 2.0, *[None] * 4]
