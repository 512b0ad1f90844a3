"""What a client of this package can be told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from claude_code_proxy.http1.tls import Tls


@dataclass(frozen=True, slots=True)
class Options:
    """Times in seconds; the numbers of connections are per origin.

    `idle_seconds` is how long a connection is kept unused: below the limits of common load balancers (60), so
    that few are closed just when they are used. `age_seconds` is how long one is used at all, so that changed
    addresses are seen. `connections` may be in use at once; more requests wait for their turn as long as
    they may wait for a connection. `allows` says whether a connection to an IP address may be made.
    """

    idle_seconds: float = 30.0
    idle_connections: int = 256
    age_seconds: float = 600.0
    connections: int = 1024
    tls: Tls = field(default_factory=Tls)
    allows: Callable[[str], bool] | None = None
