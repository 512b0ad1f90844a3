"""Whether a host is this machine, or one on a private network: by its name or address alone."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

_TRANSLATED = IPv6Network("64:ff9b::/96")
_LOCAL_ENDS = (".local", ".lan", ".internal", ".home.arpa", ".localhost")
"""RFC 6762, RFC 8375, RFC 6761, and two that home routers and clouds use."""


@lru_cache(maxsize=1024)
def is_loopback(host: str) -> bool:
    """Whether `host` is this machine."""
    name = _plain(host)
    if name == "localhost" or name.endswith(".localhost"):
        return True
    address = _address(name)
    return address is not None and address.is_loopback


@lru_cache(maxsize=1024)
def is_private(host: str) -> bool:
    """Whether `host` is this machine or one that only a private network reaches; a bare name is."""
    name = _plain(host)
    address = _address(name)
    if address is not None:
        return address.is_private or address.is_loopback or address.is_link_local
    return "." not in name or name.endswith(_LOCAL_ENDS)


def is_public(address: str) -> bool:
    """Whether an IP address is one that the whole internet reaches, and no way to another one."""
    found = _address(address)
    if found is None or not found.is_global or found.is_multicast:
        return False
    if isinstance(found, IPv4Address):
        return True
    inner = found.sixtofour or (found.teredo and found.teredo[1])
    if found in _TRANSLATED:  # RFC 6052: the last four bytes are an IPv4 address
        inner = IPv4Address(int(found) & 0xFFFFFFFF)
    return not inner or is_public(str(inner))


def _plain(host: str) -> str:
    """`host` without brackets, a final dot and capitals."""
    return host.strip("[]").rstrip(".").lower()


def _address(name: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(name)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
