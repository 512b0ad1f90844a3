"""Google's credentials from each place, and its token service on a loopback address."""

from __future__ import annotations

import base64
import json
import sys
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth import crypt, jwt

from claude_code_proxy.credentials.google.application_default import ApplicationDefault
from claude_code_proxy.credentials.source import CredentialError
from tests.credentials.issuers import Answer, Asked, Issuer

if TYPE_CHECKING:
    from pathlib import Path

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
USER = {
    "type": "authorized_user",
    "client_id": "id",
    "client_secret": "planted-secret",
    "refresh_token": "planted-refresh",
    "quota_project_id": "my-project",
}
GIVEN = {"access_token": "ya29.new", "expires_in": 3599, "token_type": "Bearer"}
NOW = 1_700_000_000.0


def write(path: Path, info: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(info))
    return path


def source(value: str, home: Path, issuer: Issuer, **env: str) -> ApplicationDefault:
    all_env = {"HOME": str(home), "NO_GCE_CHECK": "true", **env}
    return ApplicationDefault(value, all_env, token_url=f"{issuer.url}/token", clock=lambda: NOW)


def test_the_login_of_a_user(tmp_path: Path) -> None:
    write(tmp_path / ".config" / "gcloud" / "application_default_credentials.json", USER)
    with Issuer(lambda asked: (200, GIVEN)) as issuer:
        made = source("", tmp_path, issuer)
        found = made.fetch()
        other = source("", tmp_path, issuer, GOOGLE_CLOUD_QUOTA_PROJECT="other").fetch(refused=found)
    assert (found.token, found.expires_at) == ("ya29.new", NOW + 3599)
    assert found.headers == {"x-goog-user-project": "my-project"}
    assert other.headers == {"x-goog-user-project": "other"}
    assert issuer.asked[0].body == {
        "grant_type": "refresh_token",
        "client_id": "id",
        "client_secret": "planted-secret",
        "refresh_token": "planted-refresh",
    }
    assert made.stamp() is not None


@pytest.mark.parametrize(
    "place", ["value", "home", "GOOGLE_APPLICATION_CREDENTIALS", "CLOUDSDK_CONFIG", "APPDATA"]
)
def test_places_in_their_order(place: str, tmp_path: Path) -> None:
    usual = tmp_path / ".config" / "gcloud" / "application_default_credentials.json"
    write(usual, {**USER, "client_id": "usual"})
    named = write(tmp_path / "named.json", {**USER, "client_id": "named"})
    folders = {
        "CLOUDSDK_CONFIG": tmp_path / "named",
        "APPDATA": tmp_path / "named" / "gcloud",
    }
    for folder in folders.values():
        write(folder / "application_default_credentials.json", {**USER, "client_id": "named"})
    value = str(named) if place == "value" else "~/named.json" if place == "home" else ""
    env = {
        "GOOGLE_APPLICATION_CREDENTIALS": str(named),
        "APPDATA": str(tmp_path / "named"),
        "CLOUDSDK_CONFIG": str(tmp_path / "named"),
    }
    with Issuer(lambda asked: (200, GIVEN)) as issuer:
        source(value, tmp_path, issuer, **({place: env[place]} if place in env else {})).fetch()
        source("", tmp_path, issuer).fetch()
    assert [asked.body["client_id"] for asked in issuer.asked] == ["named", "usual"]


REFUSALS: list[tuple[Answer, str, bool]] = [
    ((400, {"error": "invalid_grant", "error_description": "Token has been expired or revoked."}), "invalid_grant: Token has been", False),
    ((400, {"error": "invalid_grant", "error_subtype": "invalid_rapt"}), "invalid_grant: invalid_rapt", False),
    ((401, {"error": "invalid_client"}), "invalid_client", False),
    ((400, {"error": "server_error"}), "server_error", True),
    ((400, {"error": "temporarily_unavailable"}), "temporarily_unavailable", True),
    ((403, b"<html>planted"), "the login was refused", False),
    ((503, {}), "503", True),
    ((200, b"no json"), "has no token", True),
    ((200, {"access_token": "", "expires_in": 1}), "has no token", True),
    ((200, {"access_token": "x"}), "has no token", True),
    ((200, {"access_token": "x", "expires_in": 0}), "has no token", True),
    ((-1, None), "cannot be reached", True),
]  # fmt: skip


@pytest.mark.parametrize(("answer", "says", "transient"), REFUSALS)
def test_a_refused_login(answer: Answer, says: str, transient: bool, tmp_path: Path) -> None:
    path = write(tmp_path / "user.json", USER)
    with Issuer(lambda asked: answer) as issuer:
        made = source(str(path), tmp_path, issuer)
        with pytest.raises(CredentialError, match=says) as caught:
            made.fetch()
    assert caught.value.transient is transient
    assert transient or "gcloud auth application-default login" in caught.value.hint
    assert "planted" not in caught.value.told


def test_files_that_are_no_login(tmp_path: Path) -> None:
    with Issuer(lambda asked: (200, GIVEN)) as issuer:
        for name, content, says in (
            ("none.json", None, "there is no such file"),
            ("cut.json", '{"type": "auth', "no complete JSON"),
            ("part.json", json.dumps({"type": "authorized_user", "client_id": "x"}), "lacks a part"),
        ):
            path = tmp_path / name
            if content is not None:
                path.write_text(content)
            made = source(str(path), tmp_path, issuer)
            with pytest.raises(CredentialError, match=says):
                made.fetch()
        with pytest.raises(CredentialError, match="names no file"):
            source("relative.json", tmp_path, issuer)
        nothing = source("", tmp_path, issuer)
        assert nothing.stamp() is None
        with pytest.raises(CredentialError, match="no application default credentials") as caught:
            nothing.fetch()
    assert "gcloud auth" in caught.value.hint
    assert issuer.asked == []


def on_machine(tmp_path: Path, issuer: Issuer) -> ApplicationDefault:
    host = issuer.url.removeprefix("http://")
    return source("", tmp_path, issuer, GCE_METADATA_HOST=host, NO_GCE_CHECK="")


def test_a_machine_in_googles_cloud(tmp_path: Path) -> None:
    def answer(asked: Asked) -> Answer:
        return (200, GIVEN) if asked.headers.get("metadata-flavor") == "Google" else (403, {})

    with Issuer(answer) as issuer:
        found = on_machine(tmp_path, issuer).fetch()
    assert (found.token, found.expires_at, found.headers) == ("ya29.new", NOW + 3599, {})
    assert issuer.paths == [f"/computeMetadata/v1/instance/service-accounts/default/token?scopes={SCOPE}"]


@pytest.mark.parametrize(
    ("answer", "says", "transient"),
    [
        ((404, b"no account"), "404", False),
        ((503, b""), "503", True),
        ((200, b"html"), "has no token", True),
        ((200, {"access_token": "x", "expires_in": "soon"}), "has no token", True),
        ((-1, None), "metadata", True),
    ],
)
def test_a_machine_that_gives_nothing(answer: Answer, says: str, transient: bool, tmp_path: Path) -> None:
    with Issuer(lambda asked: answer) as issuer:
        made = on_machine(tmp_path, issuer)
        with pytest.raises(CredentialError, match=says) as caught:
            made.fetch()
    assert caught.value.transient is transient


# --- google-auth ------------------------------------------------------------------------------------------
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()


def account(issuer: Issuer) -> dict[str, Any]:
    return {
        "type": "service_account",
        "client_email": "robot@p.iam.gserviceaccount.com",
        "private_key": PEM,
        "private_key_id": "1",
        "token_uri": f"{issuer.url}/token",
    }


def verify(asked: Asked) -> Answer:
    """What Google does: the assertion must be signed by the account's key, for this address and scope."""
    public = KEY.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    assert asked.body["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    token = asked.body["assertion"]
    verifier = crypt.RSAVerifier.from_string(public)  # type: ignore[no-untyped-call]
    claims: dict[str, str] = jwt.decode(token, certs=None, verify=False)  # type: ignore[no-untyped-call]
    signed, _, signature = token.rpartition(".")
    raw = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
    if not verifier.verify(signed.encode(), raw):
        return 400, {"error": "invalid_grant"}
    assert claims["scope"] == SCOPE
    assert claims["aud"].endswith("/token")
    assert claims["iss"] == "robot@p.iam.gserviceaccount.com"
    return 200, {"access_token": "ya29.robot", "expires_in": 3600, "token_type": "Bearer"}


def test_a_service_account_signs_for_itself(tmp_path: Path) -> None:
    with Issuer(verify) as issuer:
        path = write(tmp_path / "account.json", account(issuer))
        found = source(str(path), tmp_path, issuer).fetch()
    assert found.token == "ya29.robot"
    assert found.expires_at is not None
    assert found.expires_at > 1_700_000_000


@pytest.mark.parametrize(
    ("change", "answer", "says", "transient"),
    [
        (
            {},
            (400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}),
            "Invalid JWT",
            False,
        ),
        ({}, (-1, None), "Google", True),
        ({"private_key": "planted"}, (200, {}), "cannot use it", False),
        ({"client_email": None}, (200, {}), "account.json|Google", False),
        ({"type": "unheard_of"}, (200, {}), "kind unheard_of are not supported", False),
    ],
)
def test_a_service_account_that_is_refused(
    change: dict[str, Any], answer: Answer, says: str, transient: bool, tmp_path: Path
) -> None:
    with Issuer(lambda asked: answer) as issuer:
        path = write(tmp_path / "account.json", account(issuer) | change)
        made = source(str(path), tmp_path, issuer)
        with pytest.raises(CredentialError, match=says) as caught:
            made.fetch()
    assert caught.value.transient is transient
    assert "planted" not in caught.value.told


def test_without_google_auth_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "google.auth.transport.requests", None)
    with Issuer(verify) as issuer:
        made = source(str(write(tmp_path / "account.json", account(issuer))), tmp_path, issuer)
        with pytest.raises(CredentialError, match="need google-auth") as caught:
            made.fetch()
    assert "[gcp]" in caught.value.hint
