"""Whom to trust: the system's certificate authorities, and others that the user names."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_NODE_VARIABLE = "NODE_EXTRA_CA_CERTS"
"""Read by Node.js and so by Claude Code: a file of authorities beside the system's."""


@dataclass(frozen=True, slots=True)
class Tls:
    """`ca_bundle`: a file of authorities beside the system's; `certificate`: one of our own with its key."""

    ca_bundle: Path | None = None
    certificate: Path | None = None


def make_context(tls: Tls, protocols: Sequence[str]) -> ssl.SSLContext:
    """The context for every connection. Raises `OSError` (`ssl.SSLError`) for files that are none."""
    context = ssl.create_default_context()
    for extra in (tls.ca_bundle, os.environ.get(_NODE_VARIABLE)):
        if extra:
            context.load_verify_locations(extra)
    if tls.certificate is not None:
        context.load_cert_chain(tls.certificate)
    context.set_alpn_protocols(list(protocols))
    return context
