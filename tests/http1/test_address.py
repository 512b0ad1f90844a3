"""URLs and proxies, taken apart."""

from __future__ import annotations

import pytest

from claude_code_proxy.http1 import RequestError
from claude_code_proxy.http1.address import locate, sendable


@pytest.mark.parametrize(
    ("url", "server", "path", "fields"),
    [
        ("http://a.example", (False, "a.example", 80), "/", "Host: a.example\r\n"),
        ("HTTPS://A.example/v1", (True, "a.example", 443), "/v1", "Host: a.example\r\n"),
        ("http://a.example:80/x", (False, "a.example", 80), "/x", "Host: a.example\r\n"),
        ("http://a.example:443/", (False, "a.example", 443), "/", "Host: a.example:443\r\n"),
        ("https://[::1]:8080/x", (True, "::1", 8080), "/x", "Host: [::1]:8080\r\n"),
        ("https://[::1]/x", (True, "::1", 443), "/x", "Host: [::1]\r\n"),
        ("http://127.0.0.1:1/", (False, "127.0.0.1", 1), "/", "Host: 127.0.0.1:1\r\n"),
        (
            "http://bücher.example/",
            (False, "xn--bcher-kva.example", 80),
            "/",
            "Host: xn--bcher-kva.example\r\n",
        ),
        ("http://a/%7Eb/../c//d;e=f", (False, "a", 80), "/%7Eb/../c//d;e=f", "Host: a\r\n"),
        ("http://a/é", (False, "a", 80), "/%C3%A9", "Host: a\r\n"),
        ("http://a.example./x", (False, "a.example.", 80), "/x", "Host: a.example.\r\n"),
    ],
)
def test_a_url(url: str, server: tuple[bool, str, int], path: str, fields: str) -> None:
    target = locate(url, None)
    assert target.origin.server == server
    assert target.origin.proxy is None
    assert not target.origin.is_tunnel
    assert (target.path, target.fields) == (path, fields)


def test_through_a_proxy() -> None:
    plain = locate("http://a.example:8080/x", "http://me:p%40ss@proxy.example:3128")
    assert plain.path == "http://a.example:8080/x"
    assert plain.fields == "Host: a.example:8080\r\nProxy-Authorization: Basic bWU6cEBzcw==\r\n"
    assert not plain.origin.is_tunnel
    secure = locate("https://a.example/x", "https://proxy.example")
    assert (secure.path, secure.fields) == ("/x", "Host: a.example\r\n")
    assert secure.origin.is_tunnel
    assert secure.origin.proxy is not None
    assert secure.origin.proxy.place == (True, "proxy.example", 443)
    nameless = locate("http://a.example/x", "http://proxy.example")
    assert "Proxy" not in nameless.fields
    assert "p@ss" not in repr(plain)
    assert "bWU6cEBzcw" not in repr(plain)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://a/b c", "white space"),
        ("http://a/\r\nHost: b", "white space or a control"),
        ("http://a\n/", "control"),
        ("http://a/\x7f", "control"),
        ("ftp://a/", "not http"),
        ("a/b", "not http"),
        ("http:///b", "no host"),
        ("http://a:99999/", "no valid host or port"),
        ("http://a:b/", "no valid host or port"),
        ("http://[::1/", "no valid host or port"),
        (f"http://{'é' * 64}.example/", "no valid host or port"),
        ("http://me:secret@a/", "user name"),
        ("http://me@a/", "user name"),
    ],
)
def test_what_is_no_address(url: str, words: str) -> None:
    with pytest.raises(RequestError, match=words) as raised:
        locate(url, None)
    assert "secret" not in str(raised.value)


def test_a_proxy_that_is_none() -> None:
    with pytest.raises(RequestError, match="the proxy's URL"):
        locate("http://a/", "socks5://me:secret@b:1")


def test_a_query() -> None:
    assert sendable("a=%20&b=[1]'\"") == "a=%20&b=[1]'\""
    assert sendable("é") == "%C3%A9"
    with pytest.raises(RequestError):
        sendable("a b")
