from __future__ import annotations

import pytest

from claude_code_proxy.core.hosts import is_loopback, is_private, is_public

LOOPBACK = ["localhost", "LOCALHOST", "localhost.", "a.localhost", "127.0.0.1", "127.9.9.9", "::1", "[::1]", "::ffff:127.0.0.1"]  # fmt: skip
PRIVATE = [
    "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.1.1", "fe80::1", "fe80::1%eth0", "[fd00::1]", "::ffff:10.0.0.1",
    "box", "box.local", "BOX.LAN", "a.internal", "box.home.arpa", "box.home.arpa.", "",
]  # fmt: skip
PUBLIC = [
    "8.8.8.8", "172.32.0.1", "2001:4860:4860::8888", "::ffff:8.8.8.8", "example.com", "localhost.example.com", "local.example", "home.arpa.example",
    "127.0.0.1.example.com", "internal.io", "1.2.3.4.5",
]  # fmt: skip


@pytest.mark.parametrize("host", LOOPBACK)
def test_this_machine(host: str) -> None:
    assert is_loopback(host)
    assert is_private(host)


@pytest.mark.parametrize("host", PRIVATE)
def test_a_private_network(host: str) -> None:
    assert not is_loopback(host)
    assert is_private(host)


@pytest.mark.parametrize("host", PUBLIC)
def test_everybody_elses(host: str) -> None:
    assert not is_loopback(host)
    assert not is_private(host)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "172.32.0.1", "2001:4860:4860::8888", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_an_address_of_the_internet(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        *(address for address in (*LOOPBACK, *PRIVATE) if address[:1].isdigit() or ":" in address),
        "0.0.0.0", "100.64.0.1", "192.0.2.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "ff02::1", "::", "fc00::1",
        "64:ff9b::a00:1", "64:ff9b::7f00:1", "2002:7f00:1::", "2002:a00:1::", "2001:0:808:808:0:0:80ff:fffe", "example.com", "",
    ],
)  # fmt: skip
def test_no_address_of_the_internet(address: str) -> None:
    assert not is_public(address)
