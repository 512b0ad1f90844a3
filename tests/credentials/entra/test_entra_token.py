"""Tokens of Entra from every place; its token service and the machine's on loopback addresses."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

import azure.identity
import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError

from claude_code_proxy.credentials.entra.entra_token import EntraToken
from claude_code_proxy.credentials.source import CredentialError
from tests.credentials.issuers import Answer, Issuer

if TYPE_CHECKING:
    from pathlib import Path

NOW = 1_700_000_000.0
SCOPE = "https://ai.azure.com/.default"
GIVEN = {"token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "access_token": "eyJ.new.x"}
NOWHERE = "http://127.0.0.1:1"
IDS = {"AZURE_TENANT_ID": "my tenant", "AZURE_CLIENT_ID": "app"}


def source(value: str = "", machine: str = NOWHERE, **env: str) -> EntraToken:
    return EntraToken(value, {"PATH": "/nowhere", **env}, machine=machine, clock=lambda: NOW)


def test_the_secret_of_an_application() -> None:
    with Issuer(lambda asked: (200, GIVEN)) as issuer:
        env = {**IDS, "AZURE_CLIENT_SECRET": "planted", "AZURE_AUTHORITY_HOST": issuer.url + "/"}
        found = source(**env).fetch()
        source("https://cognitiveservices.azure.com", **env).fetch(refused=found)
    assert (found.token, found.expires_at) == ("eyJ.new.x", NOW + 3599)
    assert issuer.paths == ["/my%20tenant/oauth2/v2.0/token"] * 2
    assert issuer.asked[0].body == {
        "grant_type": "client_credentials",
        "client_id": "app",
        "scope": SCOPE,
        "client_secret": "planted",
    }
    assert issuer.asked[1].body["scope"] == "https://cognitiveservices.azure.com/.default"


def test_the_own_token_of_a_workload(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("planted-assertion\n")
    with Issuer(lambda asked: (200, GIVEN)) as issuer:
        env = {**IDS, "AZURE_AUTHORITY_HOST": issuer.url, "AZURE_FEDERATED_TOKEN_FILE": str(path)}
        made = source(**env)
        made.fetch()
        before = made.stamp()
        path.write_text("planted-assertion-2")
        assert made.stamp() != before
        path.unlink()
        with pytest.raises(CredentialError, match="cannot be read"):
            made.fetch()
    body = issuer.asked[0].body
    assert body["client_assertion"] == "planted-assertion"
    assert body["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    assert source().stamp() is None


REFUSALS: list[tuple[Answer, str, bool]] = [
    ((401, {"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret provided.\r\nTrace ID: x", "error_codes": [7000215]}), r"AADSTS7000215: Invalid client secret provided\.$", False),
    ((400, {"error": "unauthorized_client"}), "unauthorized_client", False),
    ((400, {"error": "temporarily_unavailable"}), "temporarily_unavailable", True),
    ((404, b"planted"), "404", False),
    ((429, {}), "429", True),
    ((503, {}), "503", True),
    ((200, b"no json"), "has no token", True),
    ((200, {"access_token": "x"}), "has no token", True),
    ((-1, None), "cannot be reached", True),
]  # fmt: skip


@pytest.mark.parametrize(("answer", "says", "transient"), REFUSALS)
def test_an_application_that_is_refused(answer: Answer, says: str, transient: bool) -> None:
    with Issuer(lambda asked: answer) as issuer:
        made = source(**IDS, AZURE_CLIENT_SECRET="planted", AZURE_AUTHORITY_HOST=issuer.url)
        with pytest.raises(CredentialError, match=says) as caught:
            made.fetch()
    assert caught.value.transient is transient
    assert "planted" not in caught.value.told


def test_the_authority_is_asked_over_https_only() -> None:
    made = source(**IDS, AZURE_CLIENT_SECRET="planted", AZURE_AUTHORITY_HOST="http://login.example.com")
    with pytest.raises(CredentialError, match="over https only"):
        made.fetch()


@pytest.mark.parametrize("value", ["nothing", "http://x", "https://a b"])
def test_values_that_are_no_scope(value: str) -> None:
    with pytest.raises(CredentialError, match="names no scope"):
        source(value)


# --- managed identities -----------------------------------------------------------------------------------
IDENTITY = {
    "access_token": "eyJ.m.x",
    "expires_on": str(int(NOW) + 7200),
    "resource": "r",
    "token_type": "Bearer",
}


def test_a_managed_identity_of_a_service() -> None:
    with Issuer(lambda asked: (200, IDENTITY)) as issuer:
        env = {"IDENTITY_ENDPOINT": f"{issuer.url}/msi/token", "IDENTITY_HEADER": "planted"}
        found = source(**env, AZURE_CLIENT_ID="mine/1").fetch()
    assert (found.token, found.expires_at) == ("eyJ.m.x", NOW + 7200)
    assert issuer.paths == [
        "/msi/token?api-version=2019-08-01&resource=https%3A%2F%2Fai.azure.com&client_id=mine%2F1"
    ]
    assert issuer.asked[0].headers["x-identity-header"] == "planted"
    with pytest.raises(CredentialError, match="does not answer") as caught:
        source(**env).fetch()
    assert caught.value.transient


def test_a_managed_identity_of_a_machine() -> None:
    with Issuer(lambda asked: (200, {**IDENTITY, "expires_in": "3600"})) as issuer:
        found = source(machine=issuer.url).fetch()
    assert found.expires_at == NOW + 3600
    assert issuer.paths == [
        "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fai.azure.com"
    ]
    assert issuer.asked[0].headers["metadata"] == "true"


@pytest.mark.parametrize(
    ("answer", "says", "transient"),
    [
        ((400, {"error": "invalid_request", "error_description": "Identity not found"}), "no login", False),
        ((404, b""), "no login", False),
        ((403, b""), "403", False),
        ((410, b""), "410", True),
        ((500, b""), "500", True),
        ((200, b"html"), "no token", True),
        ((200, {"access_token": "x", "expires_in": "soon", "expires_on": []}), "no token", True),
        ((-1, None), "managed identity", True),
    ],
)
def test_a_machine_that_gives_nothing(answer: Answer, says: str, transient: bool) -> None:
    with Issuer(lambda asked: answer) as issuer:
        made = source(machine=issuer.url)
        with pytest.raises(CredentialError, match=says) as caught:
            made.fetch()
    assert caught.value.transient is transient


# --- the Azure CLI ----------------------------------------------------------------------------------------
def install(folder: Path, program: str) -> str:
    """An `az` that runs `program`; its folder."""
    az = folder / "az"
    az.write_text(f"#!{sys.executable}\nimport sys\n{program}\n")
    az.chmod(0o700)
    return str(folder)


LOCAL = datetime.fromtimestamp(NOW + 1800).strftime("%Y-%m-%d %H:%M:%S.%f")  # noqa: DTZ006 - as az writes it


@pytest.mark.parametrize(
    ("printed", "life"),
    [
        ({"accessToken": "eyJ.c.x", "expires_on": int(NOW) + 3600, "expiresOn": LOCAL}, 3600),
        ({"accessToken": "eyJ.c.x", "expiresOn": LOCAL}, 1800),
    ],
)
def test_whoever_is_logged_in_with_the_cli(printed: dict[str, Any], life: int, tmp_path: Path) -> None:
    wanted = ["account", "get-access-token", "--output", "json", "--resource", "https://ai.azure.com"]
    program = f"assert sys.argv[1:] == {wanted!r}\nprint({json.dumps(printed)!r})"
    found = source(PATH=install(tmp_path, program)).fetch()
    assert (found.token, found.expires_at) == ("eyJ.c.x", NOW + life)


@pytest.mark.parametrize(
    ("program", "says", "transient"),
    [
        (
            "sys.exit(\"ERROR: Please run 'az login' to setup account.\")",
            "no login at Microsoft Entra",
            False,
        ),
        ('sys.exit("ERROR: AADSTS70043: expired\\nplease az login again")', "AADSTS70043: expired", False),
        ("sys.exit(3)", "exit code 3", False),
        ("print('planted')", "no token", True),
        ("print('[]')", "no token", True),
        ('print(\'{"accessToken": "x", "expiresOn": "soon"}\')', "no token", True),
        ('print(\'{"accessToken": "x", "expiresOn": 5}\')', "no token", True),
    ],
)
def test_a_cli_that_gives_nothing(program: str, says: str, transient: bool, tmp_path: Path) -> None:
    made = source(PATH=install(tmp_path, program))
    with pytest.raises(CredentialError, match=says) as caught:
        made.fetch()
    assert caught.value.transient is transient
    assert transient or "az login" in caught.value.hint
    assert "planted" not in caught.value.told


def test_a_cli_that_cannot_be_run(tmp_path: Path) -> None:
    folder = install(tmp_path, "")
    (tmp_path / "az").write_text("#!/not/there\n")
    with pytest.raises(CredentialError, match="az cannot be run"):
        source(PATH=folder).fetch()


# --- azure-identity ---------------------------------------------------------------------------------------
def test_a_certificate_is_azure_identitys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "cert.pem"
    env = {**IDS, "AZURE_TENANT_ID": "my-tenant", "AZURE_CLIENT_CERTIFICATE_PATH": str(path)}
    with pytest.raises(CredentialError, match="No such file"):
        source(**env).fetch()
    path.write_text("planted")
    with pytest.raises(CredentialError, match="no certificate with its key"):
        source(**env).fetch()
    asked: list[Any] = []
    answers: list[Any] = [
        AccessToken("eyJ.cert.x", int(NOW) + 3600),
        ClientAuthenticationError("AADSTS700027: wrong key\nTrace"),
        ServiceRequestError("planted"),
    ]

    class Stub(azure.identity.CertificateCredential):
        """What azure-identity would answer; it asks over https only, so here nobody is asked."""

        def __init__(self, *values: Any, **options: Any) -> None:
            asked.append((*values, options))

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            """Close nothing."""

        def get_token(self, *scopes: str, **_: Any) -> AccessToken:
            asked.append(scopes)
            answer = answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            assert isinstance(answer, AccessToken)
            return answer

    monkeypatch.setattr(azure.identity, "CertificateCredential", Stub)
    found = source(**env).fetch()
    assert (found.token, found.expires_at) == ("eyJ.cert.x", NOW + 3600)
    options = {"password": None, "authority": "https://login.microsoftonline.com"}
    assert asked == [("my-tenant", "app", str(path), options), (SCOPE,)]
    for says, transient in ((r"AADSTS700027: wrong key$", False), ("cannot be reached", True)):
        with pytest.raises(CredentialError, match=says) as refused:
            source(**env).fetch()
        assert refused.value.transient is transient
    monkeypatch.setitem(sys.modules, "azure.identity", None)
    with pytest.raises(CredentialError, match="needs azure-identity") as caught:
        source(**env).fetch()
    assert "[azure]" in caught.value.hint
