"""AWS credentials from every place, and the keys that are made of them; services on loopback addresses."""

from __future__ import annotations

import base64
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from claude_code_proxy.credentials.aws.aws_credentials import AwsSignature, BedrockKey
from claude_code_proxy.credentials.source import Credential, CredentialError
from tests.credentials.issuers import Answer, Asked, Issuer

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
END = (NOW + timedelta(hours=1)).isoformat().replace("+00:00", "Z")
GIVEN = {
    "AccessKeyId": "AKROLE",
    "SecretAccessKey": "planted-secret",
    "Token": "planted-token",
    "Expiration": END,
}
OFF = {"AWS_EC2_METADATA_DISABLED": "true"}

CONFIG = """
[default]
region = eu-west-3
[profile work]
region = us-west-2
credential_process = PYTHON PROGRAM "a b"
[profile   spaced]
aws_access_key_id = AKCONFIG
aws_secret_access_key = planted%secret
"""
CREDENTIALS = """
[default]
aws_access_key_id = AKDEFAULT
aws_secret_access_key = planted-secret
[temporary]
aws_access_key_id = AKTEMP
aws_secret_access_key = planted-secret
aws_session_token = planted-token
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / ".aws"
    folder.mkdir()
    program = tmp_path / "program.py"
    config = CONFIG.replace("PYTHON", sys.executable).replace("PROGRAM", str(program))
    (folder / "config").write_text(config)
    (folder / "credentials").write_text(CREDENTIALS)
    return tmp_path


def made(value: str, home: Path, **env: str) -> AwsSignature:
    return AwsSignature(value, {"HOME": str(home), **OFF, **env}, clock=NOW.timestamp)


@pytest.mark.parametrize(
    ("value", "env", "expected"),
    [
        ("", {}, ("AKDEFAULT", "planted-secret", "", "eu-west-3")),
        ("", {"AWS_PROFILE": "temporary"}, ("AKTEMP", "planted-secret", "planted-token", "")),
        ("temporary", {"AWS_REGION": "r-1"}, ("AKTEMP", "planted-secret", "planted-token", "r-1")),
        ("region=r-2 temporary", {"AWS_REGION": "r-1"}, ("AKTEMP", "planted-secret", "planted-token", "r-2")),
        ("region=r-2", {}, ("AKDEFAULT", "planted-secret", "", "r-2")),
        ("spaced", {"AWS_DEFAULT_REGION": "r-3"}, ("AKCONFIG", "planted%secret", "", "r-3")),
        (
            "",
            {"AWS_ACCESS_KEY_ID": "AKENV", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "t"},
            ("AKENV", "s", "t", "eu-west-3"),
        ),
        (
            "temporary",
            {"AWS_ACCESS_KEY_ID": "AKENV", "AWS_SECRET_ACCESS_KEY": "s"},
            ("AKTEMP", "planted-secret", "planted-token", ""),
        ),
    ],
)
def test_variables_and_files(value: str, env: dict[str, str], expected: tuple[str, ...], home: Path) -> None:
    found = made(value, home, **env).fetch()
    assert (
        tuple(found.signing[key] for key in ("access_key", "secret_key", "session_token", "region"))
        == expected
    )
    assert (found.token, found.expires_at) == (expected[0], None)
    assert "planted" not in repr(found)


def test_a_file_that_changes_is_read_again(home: Path) -> None:
    source = made("", home)
    before = source.stamp()
    (home / ".aws" / "credentials").write_text(CREDENTIALS.replace("AKDEFAULT", "AKNEW-AND-LONGER"))
    assert source.stamp() != before
    assert source.fetch().token == "AKNEW-AND-LONGER"


def test_files_in_other_places(home: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("[default]\naws_access_key_id=AKOTHER\naws_secret_access_key=s\n")
    assert made("", home, AWS_SHARED_CREDENTIALS_FILE=str(other)).fetch().token == "AKOTHER"


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ('print(\'{"Version":1,"AccessKeyId":"AKP","SecretAccessKey":"s"}\')', ("AKP", None)),
        (
            f'print(\'{{"Version":1,"AccessKeyId":"AKP","SecretAccessKey":"s","Expiration":"{END}"}}\')',
            ("AKP", NOW.timestamp() + 3600),
        ),
        ("import sys; assert sys.argv[1:] == ['a b']; sys.exit(3)", "exit code 3"),
        ("print('{\"Version\":2}')", "version 1"),
        ("print('planted')", "version 1"),
        ("print('[]')", "version 1"),
        ('print(\'{"Version":1,"AccessKeyId":"AKP"}\')', "no credentials"),
        ('print(\'{"Version":1,"AccessKeyId":5,"SecretAccessKey":"s"}\')', "no credentials"),
        (
            'print(\'{"Version":1,"AccessKeyId":"AKP","SecretAccessKey":"s","Expiration":"soon"}\')',
            "no date",
        ),
    ],
)
def test_the_program_of_a_profile(program: str, expected: Any, home: Path) -> None:
    (home / "program.py").write_text(program)
    source = made("work", home)
    if isinstance(expected, tuple):
        found = source.fetch()
        assert (found.token, found.expires_at) == expected
        assert found.signing["region"] == "us-west-2"
        return
    with pytest.raises(CredentialError, match=expected) as caught:
        source.fetch()
    assert "planted" not in caught.value.told


def test_a_program_that_is_not_there(home: Path) -> None:
    (home / ".aws" / "config").write_text("[profile work]\ncredential_process = /not/there\n")
    with pytest.raises(CredentialError, match="cannot be run"):
        made("work", home).fetch()


@pytest.mark.parametrize("value", ["region=", "region=A", "profile=x", "region=a=b c"])
def test_values_that_name_nothing(value: str, home: Path) -> None:
    with pytest.raises(CredentialError, match="names no profile"):
        made(value, home)


def test_nothing_is_there(home: Path) -> None:
    for value, says in (("nobody", "no profile nobody"),):
        with pytest.raises(CredentialError, match=says):
            made(value, home).fetch()
    for name in ("config", "credentials"):
        (home / ".aws" / name).unlink()
    with pytest.raises(CredentialError, match="no credentials in the profile default") as caught:
        made("", home).fetch()
    assert "aws configure" in caught.value.hint


@pytest.mark.parametrize("content", [b"planted", b"[default\nx", b"\xff\xfe"])
def test_a_file_that_cannot_be_read(content: bytes, home: Path) -> None:
    (home / ".aws" / "config").write_bytes(content)
    with pytest.raises(CredentialError, match="cannot be read as a file of AWS") as caught:
        made("", home).fetch()
    assert "planted" not in caught.value.told


# --- containers and machines ------------------------------------------------------------------------------
def bare(tmp_path: Path, issuer: Issuer, **env: str) -> AwsSignature:
    return AwsSignature("", {"HOME": str(tmp_path), **env}, clock=NOW.timestamp, container=issuer.url)


def test_a_container(tmp_path: Path) -> None:
    token_file = tmp_path / "token"
    token_file.write_text("from-a-file\n")
    with Issuer(lambda asked: (200, GIVEN)) as issuer:
        ecs = bare(tmp_path, issuer, AWS_CONTAINER_CREDENTIALS_RELATIVE_URI="/v2/creds?id=1").fetch()
        bare(
            tmp_path,
            issuer,
            AWS_CONTAINER_CREDENTIALS_FULL_URI=f"{issuer.url}/v1/creds",
            AWS_CONTAINER_AUTHORIZATION_TOKEN="planted",
            AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=str(token_file),
        ).fetch()
    assert (ecs.token, ecs.expires_at) == ("AKROLE", NOW.timestamp() + 3600)
    assert ecs.signing["session_token"] == "planted-token"
    assert issuer.paths == ["/v2/creds?id=1", "/v1/creds"]
    assert [asked.headers.get("authorization") for asked in issuer.asked] == [None, "from-a-file"]


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ((500, {}), "500"),
        ((403, {"message": "planted"}), "403"),
        ((200, b"planted, no json"), "no credentials"),
        ((200, []), "no credentials"),
        ((200, {**GIVEN, "SecretAccessKey": None}), "no credentials"),
        ((200, {**GIVEN, "Expiration": "x"}), "no date"),
        ((-1, None), "credentials"),
    ],
)
def test_a_container_that_fails_may_work_later(answer: Answer, says: str, tmp_path: Path) -> None:
    with Issuer(lambda asked: answer) as issuer:
        source = bare(tmp_path, issuer, AWS_CONTAINER_CREDENTIALS_RELATIVE_URI="/x")
        with pytest.raises(CredentialError, match=says) as caught:
            source.fetch()
    assert caught.value.transient
    assert "planted" not in caught.value.told


def test_a_container_is_asked_in_the_clear_on_this_machine_only(tmp_path: Path) -> None:
    with Issuer(lambda asked: (200, GIVEN)) as issuer:
        for url, says in (("http://example.com/x", "neither https"), ("https://127.0.0.1:1/x", "nothing")):
            source = bare(tmp_path, issuer, AWS_CONTAINER_CREDENTIALS_FULL_URI=url)
            with pytest.raises(CredentialError, match=says):
                source.fetch()
        env = {"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(tmp_path / "none")}
        with pytest.raises(CredentialError, match="cannot be read"):
            bare(tmp_path, issuer, AWS_CONTAINER_CREDENTIALS_RELATIVE_URI="/x", **env).fetch()
    assert issuer.asked == []


ROLES = "/latest/meta-data/iam/security-credentials/"


def machine(asked: Asked) -> Answer:
    if asked.path == "/latest/api/token" and asked.method == "PUT":
        assert asked.headers["x-aws-ec2-metadata-token-ttl-seconds"] == "21600"
        return 200, b"session\n"
    if asked.headers.get("x-aws-ec2-metadata-token") != "session":
        return 401, {}
    return (200, b"my-role\n") if asked.path == ROLES else (200, GIVEN)


def test_a_machine(tmp_path: Path) -> None:
    with Issuer(machine) as issuer:
        found = bare(tmp_path, issuer, AWS_EC2_METADATA_SERVICE_ENDPOINT=issuer.url + "/").fetch()
    assert (found.token, found.expires_at) == ("AKROLE", NOW.timestamp() + 3600)
    assert issuer.paths == ["/latest/api/token", ROLES, ROLES + "my-role"]


@pytest.mark.parametrize(
    ("failing", "answer", "says"),
    [
        ("/latest/api/token", (403, {}), "no credentials in the profile"),
        (ROLES, (404, {}), "no credentials in the profile"),
        (ROLES, (200, b""), "no credentials in the profile"),
        (ROLES + "my-role", (200, {"Code": "Failed"}), "gave no credentials"),
        (ROLES, (-1, None), "metadata"),
    ],
)
def test_a_machine_without_a_role(failing: str, answer: Answer, says: str, tmp_path: Path) -> None:
    with Issuer(lambda asked: answer if asked.path == failing else machine(asked)) as issuer:
        source = bare(tmp_path, issuer, AWS_EC2_METADATA_SERVICE_ENDPOINT=issuer.url)
        with pytest.raises(CredentialError, match=says):
            source.fetch()


# --- botocore ---------------------------------------------------------------------------------------------
STS = """<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
<AccessKeyId>AKASSUMED{0}</AccessKeyId><SecretAccessKey>planted-secret</SecretAccessKey>
<SessionToken>planted-token</SessionToken><Expiration>{1}</Expiration></Credentials></AssumeRoleResult>
</AssumeRoleResponse>"""
DENIED = """<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>
<Code>AccessDenied</Code><Message>not allowed to assume</Message></Error></ErrorResponse>"""


@pytest.fixture
def role(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A profile that assumes a role; botocore reads the environment of the process."""
    (home / ".aws" / "config").write_text(
        "[profile role]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = default\nregion = us-east-1\n"
    )
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(home / ".aws" / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(home / ".aws" / "credentials"))
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    return home


def test_a_role_is_assumed_by_botocore(role: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = iter("123")
    end = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    with Issuer(lambda asked: (200, STS.format(next(given), end).encode())) as issuer:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", issuer.url)
        source = made("role", role)
        first = source.fetch()
        again = source.fetch()
        renewed = source.fetch(refused=first)
    assert (first.token, again.token, renewed.token) == ("AKASSUMED1", "AKASSUMED1", "AKASSUMED2")
    assert first.expires_at == NOW.timestamp() + 600
    assert first.signing["session_token"] == "planted-token"
    assert issuer.asked[0].body["RoleArn"] == "arn:aws:iam::1:role/r"


@pytest.mark.parametrize(
    ("answer", "says", "transient"),
    [
        ((403, DENIED.encode()), "not allowed to assume", False),
        ((503, b"busy"), "AWS", True),
        ((-1, None), "AWS", True),
    ],
)
def test_a_role_that_is_refused(
    answer: Answer, says: str, transient: bool, role: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Issuer(lambda asked: answer) as issuer:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", issuer.url)
        with pytest.raises(CredentialError, match=says) as caught:
            made("role", role).fetch()
    assert caught.value.transient is transient
    assert "planted" not in caught.value.told


def test_without_botocore_the_extra_is_named(role: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "botocore.session", None)
    for value, env in (("role", {}), ("", {"AWS_WEB_IDENTITY_TOKEN_FILE": "/x", "AWS_ROLE_ARN": "r"})):
        with pytest.raises(CredentialError, match="needs botocore") as caught:
            made(value, role, **env).fetch()
        assert "[aws]" in caught.value.hint


# --- keys of Bedrock --------------------------------------------------------------------------------------
def test_a_key_in_the_variable_is_used(home: Path) -> None:
    env = {"HOME": str(home), **OFF, "AWS_BEARER_TOKEN_BEDROCK": " planted-key\n"}
    assert BedrockKey("", env).fetch() == Credential("planted-key")
    assert (
        BedrockKey("temporary", {**env, "AWS_REGION": "eu-west-1"})
        .fetch()
        .token.startswith("bedrock-api-key-")
    )


def test_a_key_is_made_without_asking_anybody(home: Path) -> None:
    key = BedrockKey("region=eu-west-1 temporary", {"HOME": str(home), **OFF}, clock=NOW.timestamp).fetch()
    assert key.expires_at == NOW.timestamp() + 12 * 3600
    request = base64.b64decode(key.token.removeprefix("bedrock-api-key-")).decode()
    assert request.startswith("bedrock.amazonaws.com/?Action=CallWithBearerToken&")
    assert "X-Amz-Credential=AKTEMP%2F20260102%2Feu-west-1%2Fbedrock%2Faws4_request" in request
    assert "X-Amz-Expires=43200" in request
    assert "X-Amz-Security-Token=planted-token" in request
    assert request.endswith("&Version=1")
    assert key.signing == {}


def test_a_key_lives_no_longer_than_what_made_it(home: Path) -> None:
    (home / "program.py").write_text(
        f'print(\'{{"Version":1,"AccessKeyId":"AKP","SecretAccessKey":"s","Expiration":"{END}"}}\')'
    )
    env = {"HOME": str(home), **OFF}
    assert BedrockKey("work", env, clock=NOW.timestamp).fetch().expires_at == NOW.timestamp() + 3600
    with pytest.raises(CredentialError, match="have expired"):
        BedrockKey("work", env, clock=lambda: NOW.timestamp() + 3600).fetch()


def test_a_key_needs_a_region(home: Path) -> None:
    source = BedrockKey("temporary", {"HOME": str(home), **OFF})
    assert source.stamp() is not None
    with pytest.raises(CredentialError, match="one region"):
        source.fetch()
