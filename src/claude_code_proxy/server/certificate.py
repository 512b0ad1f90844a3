"""The certificate with which the server listens: checked at the start, and read again when it changes."""

from __future__ import annotations

import ssl

import uvicorn

from claude_code_proxy.config.problems import ConfigError
from claude_code_proxy.config.settings import ServerSettings
from claude_code_proxy.config.watched_file import WatchedFile

from .log import logger


def check_certificate(settings: ServerSettings) -> None:
    """Raises `ConfigError` for a certificate or key that cannot be used."""
    if settings.tls_cert is None:
        if settings.tls_key is not None:
            raise ConfigError("--tls-key: there is no --tls-cert that it belongs to")
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(settings.tls_cert, settings.tls_key)
    except (OSError, ValueError) as error:
        raise ConfigError(f"--tls-cert {settings.tls_cert}: {error}") from None


class Certificate:
    """Gives new connections the newest certificate; those that are open keep theirs.

    A pair of files of which only one is new already is taken when it fits together.
    """

    def __init__(self, config: uvicorn.Config, settings: ServerSettings) -> None:
        self._config = config
        self._settings = settings
        self._files = [WatchedFile(path) for path in (settings.tls_cert, settings.tls_key) if path]

    async def look(self) -> None:
        """Read the files again if one has changed. Called every second."""
        if not any(file.changed() for file in self._files):
            return
        try:
            for file in self._files:
                file.check_there()
            check_certificate(self._settings)
        except ConfigError as error:
            logger.warning("%s; keeping the certificate of before", error)
            return
        assert self._config.ssl is not None
        assert self._settings.tls_cert is not None
        self._config.ssl.load_cert_chain(self._settings.tls_cert, self._settings.tls_key)
        logger.info("the certificate was read again")
