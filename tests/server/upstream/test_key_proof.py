"""Requests to hosts that check tokens and signatures, with sources that get them from simulated issuers."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import anthropic
import pytest

from claude_code_proxy.credentials.factory import make_fetcher
from claude_code_proxy.credentials.google.application_default import ApplicationDefault
from claude_code_proxy.credentials.renewing import Renewing
from claude_code_proxy.server.caller.session_keys import SessionKeys
from tests.credentials.issuers import Answer, Asked, Issuer
from tests.server.byte_upstream import Connection, Request, running_upstream, say_hello
from tests.server.clouds import KEYS, SECRET, VERTEX, Checker, invoke, messages, vertex
from tests.server.harness import BODY, ask, model, running_proxy

if TYPE_CHECKING:
    from pathlib import Path

    from claude_code_proxy.credentials.source import Fetcher

TOKEN = "the-token-of-this-session"


def session(base: str, fetcher: Fetcher) -> SessionKeys:
    return SessionKeys(TOKEN, {base: Renewing(fetcher, pause=0.0)})


BEDROCK = {
    "bedrock": ("/model", invoke, "us.anthropic.claude-x-v1:0"),
    "messages": ("/anthropic", messages, "c"),
}


@pytest.mark.parametrize("way", BEDROCK)
async def test_the_final_bytes_are_signed(way: str, tmp_path: Path) -> None:
    path, script, name = BEDROCK[way]
    async with running_upstream(Checker(script)) as upstream:
        base = upstream.base + path
        entry = model(base, format="anthropic", profile="bedrock", model_name=name)
        keys = session(base, make_fetcher("aws", "", {"HOME": str(tmp_path), **KEYS}))
        async with (
            running_proxy([entry], keys) as proxy,
            anthropic.AsyncAnthropic(base_url=proxy.base, auth_token=TOKEN, max_retries=0) as sdk,
        ):
            ask_for: Any = {
                "model": "m",
                "max_tokens": 9,
                "messages": [{"role": "user", "content": "\u2615"}],
            }
            message = await sdk.messages.create(**ask_for)
            async with sdk.beta.messages.stream(betas=["a-1"], **ask_for) as stream:
                streamed = await stream.get_final_message()
    assert (message.content[0].text, streamed.content[0].text) == ("Hello", "Hello")  # type: ignore[union-attr]
    for request in upstream.requests:
        said = repr(request)
        assert SECRET not in said
        assert TOKEN not in said
        assert request.header("x-api-key") is None


async def test_converted_requests_are_signed_too(tmp_path: Path) -> None:
    async with running_upstream(Checker(lambda _: say_hello)) as upstream:
        base = upstream.base + "/openai/v1"
        keys = session(base, make_fetcher("aws", "region=eu-west-1", {"HOME": str(tmp_path), **KEYS}))
        async with running_proxy([model(base, profile="bedrock")], keys) as proxy:
            replies = [await ask(proxy, {**BODY, "stream": way}, key=TOKEN) for way in (False, True)]
    assert [reply.status for reply in replies] == [200, 200]


@pytest.mark.parametrize("hours", [-2, 3])
async def test_a_wrong_clock_is_put_right_by_the_hosts(hours: float, tmp_path: Path) -> None:
    checker = Checker(invoke, ahead=hours * 3600)
    async with running_upstream(checker) as upstream:
        base = upstream.base + "/model"
        entry = model(base, format="anthropic", profile="bedrock", model_name="us.anthropic.claude-x")
        keys = session(base, make_fetcher("aws", "", {"HOME": str(tmp_path), **KEYS}))
        async with running_proxy([entry], keys) as proxy:
            first = await ask(proxy, key=TOKEN)
            second = await ask(proxy, key=TOKEN)
    assert (first.status, second.status) == (200, 200)
    assert len(upstream.requests) == 3  # only the first was sent again
    assert abs(keys.ahead - hours * 3600) < 5


PROGRAM = """import json, pathlib
count = pathlib.Path(__file__).with_suffix(".count")
number = int(count.read_text()) + 1 if count.exists() else 1
count.write_text(str(number))
print(json.dumps({"Version": 1, "AccessKeyId": f"AK{number}", "SecretAccessKey": "s", "SessionToken": f"t{number}"}))
"""


async def test_credentials_that_expired_are_got_again(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text(
        f"[default]\nregion=eu-west-1\ncredential_process={sys.executable} {program}\n"
    )
    checker = Checker(invoke)
    checker.secrets = {"AK1": "s", "AK2": "s"}
    checker.tokens = {"AK1": "another", "AK2": "t2"}
    async with running_upstream(checker) as upstream:
        base = upstream.base + "/model"
        entry = model(base, format="anthropic", profile="bedrock", model_name="us.anthropic.claude-x")
        keys = session(base, make_fetcher("aws", "", {"HOME": str(tmp_path)}))
        async with running_proxy([entry], keys) as proxy:
            replies = [await ask(proxy, key=TOKEN) for _ in range(2)]
    assert [reply.status for reply in replies] == [200, 200]
    assert [request.header("x-amz-security-token") for request in upstream.requests] == ["t1", "t2", "t2"]


@pytest.mark.parametrize("name", ["UnrecognizedClientException", "AccessDeniedException"])
async def test_keys_that_stay_refused_are_told(name: str, tmp_path: Path) -> None:
    checker = Checker(invoke)
    checker.secrets = {}
    checker.refusal = name
    async with running_upstream(checker) as upstream:
        base = upstream.base + "/model"
        entry = model(base, format="anthropic", profile="bedrock", model_name="us.anthropic.claude-x")
        keys = session(base, make_fetcher("aws", "", {"HOME": str(tmp_path), **KEYS}))
        async with running_proxy([entry], keys) as proxy:
            reply = await ask(proxy, key=TOKEN)
    assert reply.status in (401, 403)
    assert name in reply.json["error"]["message"]
    assert len(upstream.requests) == 1
    assert SECRET not in reply.body.decode()


# --- tokens -----------------------------------------------------------------------------------------------
class Tokens:
    """An issuer of tokens `TOKEN1`, `TOKEN2` ...; a host behind it accepts the last one only."""

    def __init__(self, start: str) -> None:
        self.start = start
        self.number = 0
        self.revoked = False

    def answer(self, asked: Asked) -> Answer:
        if self.revoked:
            return 400, {"error": "invalid_grant", "error_description": "Token has been revoked."}
        self.number += 1
        return 200, {"access_token": f"{self.start}{self.number}", "expires_in": 3600}

    def accepts(self, request: Request) -> bool:
        return request.header("authorization") == f"Bearer {self.start}{self.number}"


async def test_claude_on_vertex_with_a_login_of_google(tmp_path: Path) -> None:
    tokens = Tokens("ya29.")
    path = tmp_path / "login.json"
    login = {"type": "authorized_user", "client_id": "i", "client_secret": "s", "refresh_token": "r"}
    path.write_text(json.dumps(login | {"quota_project_id": "pays"}))
    with Issuer(tokens.answer) as issuer:
        async with running_upstream(vertex(tokens.accepts)) as upstream:
            base = upstream.base + VERTEX
            fetcher = ApplicationDefault(str(path), {}, token_url=issuer.url)
            entry = model(base, format="anthropic", profile="vertex", model_name="claude-x")
            async with running_proxy([entry], session(base, fetcher)) as proxy:
                first = await ask(proxy, key=TOKEN)
                tokens.number += 1  # the host forgets the first one: it was revoked
                second = await ask(proxy, {**BODY, "stream": True}, key=TOKEN)
                tokens.revoked, tokens.number = True, 9
                third = await ask(proxy, key=TOKEN)
    assert (first.status, second.status, third.status) == (200, 200, 401)
    assert second.types[-1] == "message_stop"
    assert {request.header("x-goog-user-project") for request in upstream.requests} == {"pays"}
    message = third.json["error"]["message"]
    assert "Token has been revoked." in message
    assert "gcloud auth application-default login" in message
    assert third.headers["x-should-retry"] == "false"


async def test_claude_on_foundry_and_azure_with_an_application_of_entra() -> None:
    tokens = Tokens("eyJ.")
    with Issuer(tokens.answer) as issuer:
        env = {
            "AZURE_TENANT_ID": "t",
            "AZURE_CLIENT_ID": "c",
            "AZURE_CLIENT_SECRET": SECRET,
            "AZURE_AUTHORITY_HOST": issuer.url,
        }
        async with (
            running_upstream(messages(tokens.accepts)) as upstream,
            running_upstream(say_hello) as other,
        ):
            bases = (upstream.base + "/anthropic", other.base + "/openai/v1")
            entries = [
                model(bases[0], format="anthropic", profile="azure"),
                model(bases[1], profile="azure") | {"model_id": "o"},
            ]
            sources = {base: Renewing(make_fetcher("entra", "", env)) for base in bases}
            async with running_proxy(entries, SessionKeys(TOKEN, sources)) as proxy:
                native = await ask(proxy, key=TOKEN, headers={"anthropic-version": "2023-06-01"})
                converted = await ask(proxy, {**BODY, "model": "o"}, key=TOKEN)
    assert (native.status, converted.status) == (200, 200)
    assert other.requests[0].header("authorization") == "Bearer eyJ.2"
    assert other.requests[0].header("api-key") is None


async def test_a_key_of_bedrock_is_made_and_goes_as_bearer(tmp_path: Path) -> None:
    def is_key(request: Request) -> bool:
        return (request.header("authorization") or "").startswith("Bearer bedrock-api-key-")

    async with running_upstream(invoke(is_key)) as upstream:
        base = upstream.base + "/model"
        entry = model(base, format="anthropic", profile="bedrock", model_name="us.anthropic.claude-x")
        keys = session(base, make_fetcher("bedrock", "", {"HOME": str(tmp_path), **KEYS}))
        async with running_proxy([entry], keys) as proxy:
            reply = await ask(proxy, key=TOKEN)
    assert reply.status == 200


async def test_lists_of_models_are_not_asked_for_with_what_signs(tmp_path: Path) -> None:
    async def listed(request: Request, connection: Connection) -> None:
        await connection.whole(200, {"data": [{"id": "anthropic.claude-x"}]})

    async with running_upstream(listed) as upstream:
        base = upstream.base + "/anthropic"
        entry = {"model_id": "*", "api_base": base, "format": "anthropic", "profile": "bedrock"}
        keys = session(base, make_fetcher("aws", "", {"HOME": str(tmp_path), **KEYS}))
        async with running_proxy([entry], keys) as proxy:
            await ask(proxy, None, method="GET", path="/v1/models", key=TOKEN)
    assert [request.header("authorization") for request in upstream.requests] == [None]


def test_signing_is_imported_where_it_is_used_only() -> None:
    code = (
        "import sys; import claude_code_proxy.server.app; "
        "print([n for n in sys.modules if n.startswith(('claude_code_proxy.credentials.aws', 'botocore'))])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
