"""A session with the login of a cloud: from cc-proxy.json to the cloud's host, judged by the official SDK."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anthropic
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.credentials.issuers import Answer, Asked, Issuer
from tests.server.byte_upstream import running_upstream
from tests.server.clouds import KEYS, SECRET, VERTEX, Checker, invoke, messages, vertex

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.cli.desk import Desk
    from tests.server.byte_upstream import Request, Script

ASK: dict[str, Any] = {"max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}


@asynccontextmanager
async def session(desk: Desk, entry: dict[str, Any], **env: str) -> AsyncIterator[dict[str, Any]]:
    """What Claude Code was started with, while it waits."""
    desk.providers({"cloud": entry})
    process = desk.start("wait", **env)
    try:
        assert process.stdout is not None
        line = await asyncio.to_thread(process.stdout.readline)
        assert line, process.communicate()[1]
        yield json.loads(line)
    finally:
        process.kill()
        await asyncio.to_thread(process.communicate)


async def speak(started: dict[str, Any], model: str) -> None:
    assert SECRET not in json.dumps(started)
    env = started["env"]
    async with anthropic.AsyncAnthropic(
        base_url=env["ANTHROPIC_BASE_URL"], auth_token=env["ANTHROPIC_AUTH_TOKEN"], max_retries=0
    ) as sdk:
        message = await sdk.messages.create(model=model, **ASK)
        async with sdk.messages.stream(model=model, **ASK) as stream:
            streamed = await stream.get_final_message()
    assert message.content[0].text == streamed.content[0].text == "Hello"  # type: ignore[union-attr]


def entry(base: str, profile: str, key: str, model: str) -> dict[str, Any]:
    return {"base_url": base, "profile": profile, "auth_key": key, "model": model, "format": "anthropic"}


async def test_bedrock_with_keys_of_aws(desk: Desk) -> None:
    name = "us.anthropic.claude-x-v1:0"
    ways: list[tuple[str, Script]] = [("/model", Checker(invoke)), ("/anthropic", Checker(messages))]
    for path, script in ways:
        async with running_upstream(script) as upstream:
            cloud = entry(upstream.base + path, "bedrock", "aws:", name)
            async with session(desk, cloud, **KEYS) as started:
                await speak(started, name)
                assert not set(KEYS) - {"AWS_REGION"} & started["env"].keys()
        assert [request.method for request in upstream.requests if request.method == "POST"] == ["POST"] * 2


async def test_vertex_with_a_service_account(desk: Desk, tmp_path: Path) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    given = {"access_token": "ya29.planted", "expires_in": 3600, "token_type": "Bearer"}

    def accepts(request: Request) -> bool:
        return request.header("authorization") == "Bearer ya29.planted"

    with Issuer(lambda asked: (200, given)) as issuer:
        path = tmp_path / "account.json"
        account = {"type": "service_account", "client_email": "r@x", "private_key": pem}
        path.write_text(json.dumps(account | {"token_uri": issuer.url}))
        async with running_upstream(vertex(accepts)) as upstream:
            cloud = entry(upstream.base + VERTEX, "vertex", "google:", "claude-opus-4-1@20250805")
            async with session(desk, cloud, GOOGLE_APPLICATION_CREDENTIALS=str(path)) as started:
                await speak(started, "claude-opus-4-1@20250805")
    assert "ya29.planted" not in json.dumps(started)
    assert len(issuer.asked) == 2  # the launcher, and its proxy once


async def test_foundry_with_an_application_whose_token_is_revoked_meanwhile(desk: Desk) -> None:
    number = 0

    def answer(asked: Asked) -> Answer:
        nonlocal number
        number += 1
        return 200, {"access_token": f"eyJ.{number}", "expires_in": 3600}

    def accepts(request: Request) -> bool:
        return request.header("authorization") == "Bearer eyJ.2"  # never the one of the launcher

    with Issuer(answer) as issuer:
        env = {
            "AZURE_TENANT_ID": "t",
            "AZURE_CLIENT_ID": "c",
            "AZURE_CLIENT_SECRET": SECRET,
            "AZURE_AUTHORITY_HOST": issuer.url,
        }
        async with running_upstream(messages(accepts)) as upstream:
            cloud = entry(upstream.base + "/anthropic", "azure", "entra:", "claude-x")
            async with session(desk, cloud, **env) as started:
                await speak(started, "claude-x")
                assert "AZURE_CLIENT_SECRET" not in started["env"]
    assert [asked.body["client_secret"] for asked in issuer.asked] == [SECRET, SECRET]


async def test_a_login_that_is_not_there_is_one_error_that_names_the_command(desk: Desk) -> None:
    kinds = {
        "google:": ("NO_GCE_CHECK", "gcloud auth application-default login"),
        "aws:": ("AWS_EC2_METADATA_DISABLED", "aws configure"),
    }
    for key, (off, says) in kinds.items():
        desk.providers({"cloud": entry("http://127.0.0.1:9/anthropic", "bedrock", key, "m")})
        code, _, err = await asyncio.to_thread(desk.run, **{off: "true"})
        assert code == 78
        assert says in err


@pytest.mark.parametrize(
    ("base", "profile", "key"),
    [("/anthropic", "bedrock", "aws:"), ("/model", "bedrock", "planted"), (VERTEX, "vertex", "planted")],
)
async def test_claude_code_alone_cannot_do_it(base: str, profile: str, key: str, desk: Desk) -> None:
    desk.providers({"cloud": entry(f"http://127.0.0.1:9{base}", profile, key, "m")})
    code, _, err = await asyncio.to_thread(desk.run, "--direct", **KEYS)
    assert code != 0
    assert "needs a proxy in between" in err
