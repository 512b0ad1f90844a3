"""Listening with TLS, and a certificate that is renewed."""

from __future__ import annotations

import os
import ssl
from typing import TYPE_CHECKING, Any

import pytest
import trustme
import uvicorn

from claude_code_proxy.config import watched_file
from claude_code_proxy.config.problems import ConfigError
from claude_code_proxy.config.settings import ServerSettings
from claude_code_proxy.server.app import App
from claude_code_proxy.server.certificate import Certificate, check_certificate
from claude_code_proxy.server.serve import Config

if TYPE_CHECKING:
    from pathlib import Path


def settings(folder: Path, **more: Any) -> ServerSettings:
    return ServerSettings(
        models=folder / "m.yaml", tls_cert=folder / "cert.pem", tls_key=folder / "key.pem", **more
    )


def issue(authority: trustme.CA, folder: Path, *, only: str = "", age: int = 0) -> None:
    issued = authority.issue_cert("localhost")
    if only != "key":
        issued.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    if only != "cert":
        issued.private_key_pem.write_to_path(folder / "key.pem")
    for name in ("cert.pem", "key.pem"):
        stat = (folder / name).stat()
        os.utime(folder / name, ns=(stat.st_atime_ns, stat.st_mtime_ns - age * 10**9))


@pytest.mark.parametrize(
    ("cert", "key"), [("none", None), (None, "key.pem"), ("cert.pem", None), ("m.yaml", None)]
)
def test_what_cannot_be_used_is_said_at_the_start(tmp_path: Path, cert: str | None, key: str | None) -> None:
    issue(trustme.CA(), tmp_path)
    (tmp_path / "m.yaml").write_text("[]")
    chosen = ServerSettings(
        models=tmp_path / "m.yaml",
        tls_cert=tmp_path / cert if cert else None,
        tls_key=tmp_path / key if key else None,
    )
    with pytest.raises(ConfigError, match="--tls"):
        check_certificate(chosen)


def shown(context: ssl.SSLContext, authority: trustme.CA) -> bytes:
    """The certificate that a new connection gets; the handshake is made in memory."""
    client = ssl.create_default_context()
    authority.configure_trust(client)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    here = client.wrap_bio(to_client, to_server, server_hostname="localhost")
    there = context.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for side in (here, there):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    found = here.getpeercert(binary_form=True)
    assert found is not None
    return found


async def test_a_renewed_certificate_is_taken(
    loggers: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(watched_file, "_CHECK_EVERY", 0.0)
    monkeypatch.setattr(watched_file, "_CHECK_AGAIN", 0.0)
    authority = trustme.CA()
    issue(authority, tmp_path, age=20)
    chosen = settings(tmp_path)
    config = uvicorn.Config(App(chosen), ssl_certfile=chosen.tls_cert, ssl_keyfile=chosen.tls_key)
    config.load()
    assert config.ssl is not None
    certificate = Certificate(config, chosen)
    first = shown(config.ssl, authority)
    await certificate.look()
    assert shown(config.ssl, authority) == first
    issue(authority, tmp_path, only="cert", age=10)
    await certificate.look()
    assert "keeping the certificate of before" in caplog.text
    assert shown(config.ssl, authority) == first
    if os.name != "nt":
        assert chosen.tls_cert is not None
        chosen.tls_cert.unlink()
        os.mkfifo(chosen.tls_cert)  # reading it would not end
        await certificate.look()
        assert "no such file; keeping the certificate of before" in caplog.text
        chosen.tls_cert.unlink()
    issue(authority, tmp_path, age=5)
    await certificate.look()
    assert shown(config.ssl, authority) != first


def test_the_configuration_of_the_server_looks_for_it(loggers: None, tmp_path: Path) -> None:
    issue(trustme.CA(), tmp_path)
    chosen = settings(tmp_path)
    config = Config(App(chosen), chosen)
    assert config.is_ssl
    assert config.callback_notify is not None
    assert Config(App(chosen), ServerSettings(models=tmp_path / "m.yaml")).callback_notify is None
