"""Whom to trust: the system's certificate authorities, and others that the user names."""

from __future__ import annotations

import logging
import os
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_logger = logging.getLogger(__name__)
_NODE_VARIABLE = "NODE_EXTRA_CA_CERTS"
"""Read by Node.js and so by Claude Code: a file of authorities beside the system's."""


@dataclass(frozen=True, slots=True)
class Tls:
    """`ca_bundle`: a file of authorities beside the system's; `certificate`: one of our own with its key."""

    ca_bundle: Path | None = None
    certificate: Path | None = None

    def check(self) -> None:
        """Raise `OSError` for a file that cannot be used, before a request needs it."""
        _load(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), self)


def make_context(tls: Tls, protocols: Sequence[str]) -> ssl.SSLContext:
    """The context for every connection. Raises `OSError` for files that cannot be used."""
    context = ssl.create_default_context()
    if extra := os.environ.get(_NODE_VARIABLE):
        try:
            context.load_verify_locations(extra)
        except OSError as error:  # as Node.js does: it says so and goes on
            _logger.warning("%s: %s: %s", _NODE_VARIABLE, extra, error.strerror or error)
    _load(context, tls)
    context.set_alpn_protocols(list(protocols))
    return context


def _load(context: ssl.SSLContext, tls: Tls) -> None:
    for setting, file, load in (
        ("--ca-bundle", tls.ca_bundle, context.load_verify_locations),
        ("--client-certificate", tls.certificate, context.load_cert_chain),
    ):
        if file is not None:
            try:
                load(file)
            except OSError as error:
                raise OSError(f"{setting} {file}: {error.strerror or error}") from None
