"""Signatures: known ones, and the same as botocore's for whatever is sent."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any
from unittest import mock
from urllib.parse import parse_qsl, urlsplit

import pytest
from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import example, given
from hypothesis import strategies as st

from claude_code_proxy.credentials.aws.sigv4 import bearer_key, sign

KEYS = {"access_key": "AKIDEXAMPLE", "secret_key": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}
MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
NOW = MOMENT.timestamp()
BODY = (
    b'{"anthropic_version":"bedrock-2023-05-31","max_tokens":1,"messages":[{"role":"user","content":"hi"}]}'
)
RUNTIME = "https://bedrock-runtime.us-east-1.amazonaws.com"


@pytest.mark.parametrize(
    ("path", "signature"),
    [
        (
            "/model/us.anthropic.claude-x-v1:0/invoke",
            "7e763d9ea8829e06d007c8760c5d56d123df548789ff6900c64a2def20446d3e",
        ),
        (
            "/model/us.anthropic.claude-x-v1%3A0/invoke",
            "0c44f29133bfb50e7677929dfe0a5fa4d0ca55c136c8d73f71075af879e20a2d",
        ),
    ],
)
def test_known_signatures(path: str, signature: str) -> None:
    sent = sign(KEYS, "POST", RUNTIME + path, "application/json", BODY, NOW)
    assert sent == {
        "X-Amz-Date": "20260102T030405Z",
        "Authorization": "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260102/us-east-1/bedrock/aws4_request, "
        f"SignedHeaders=content-type;host;x-amz-date, Signature={signature}",
    }


SAFE = st.text(alphabet="abz019-._~:@!$&'()*+,;=%/", max_size=30)
QUERIES = st.lists(
    st.tuples(st.text(alphabet="abAB-_.~", min_size=1, max_size=5), st.text(alphabet="ab1-_.~", max_size=5)),
    max_size=3,
)


@given(
    path=SAFE.filter(lambda text: "//" not in f"/{text}" and not {".", ".."} & set(text.split("/"))),
    query=QUERIES,
    body=st.binary(max_size=50),
    token=st.sampled_from(["", "FwoGZXIvYXdzEXAMPLE//token=="]),
    kind=st.sampled_from(["application/json", "application/json; charset=utf-8"]),
    host=st.sampled_from(
        [
            ("https://bedrock-runtime.eu-west-1.amazonaws.com", "eu-west-1", "bedrock"),
            ("https://bedrock-runtime-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1", "bedrock"),
            ("https://vpce-1.bedrock-runtime.us-east-2.vpce.amazonaws.com", "us-east-2", "bedrock"),
            ("https://bedrock-runtime.cn-north-1.amazonaws.com.cn", "cn-north-1", "bedrock"),
            ("https://bedrock-mantle.us-west-2.api.aws", "us-west-2", "bedrock-mantle"),
            ("https://aws-external-anthropic.us-east-1.api.aws", "us-east-1", "aws-external-anthropic"),
            ("http://127.0.0.1:4000", "ap-south-1", "bedrock"),
            ("https://example.com:443", "ap-south-1", "bedrock"),
        ]
    ),
)
@example(
    "",
    [("A", ""), ("A.", "")],
    b"",
    "",
    "application/json",
    ("https://example.com:443", "ap-south-1", "bedrock"),
)
def test_botocore_signs_alike(
    path: str, query: list[tuple[str, str]], body: bytes, token: str, kind: str, host: tuple[str, str, str]
) -> None:
    base, region, service = host
    line = "&".join(f"{name}={value}" for name, value in query)
    url = f"{base}/{path}" + (f"?{line}" if line else "")
    signing = {**KEYS, "session_token": token, "region": "ap-south-1"}
    ours = sign(signing, "POST", url, kind, body, NOW)
    request = AWSRequest(method="POST", url=url, headers={"Content-Type": kind}, data=body)
    with mock.patch("botocore.auth.get_current_datetime", return_value=MOMENT.replace(tzinfo=None)):
        signer: Any = auth.SigV4Auth(
            Credentials(KEYS["access_key"], KEYS["secret_key"], token or None), service, region
        )
        signer.add_auth(request)
    theirs = {name: value for name, value in request.headers.items() if name != "Content-Type"}
    assert ours == theirs


@pytest.mark.parametrize("token", ["", "FwoGZXIvYXdzEXAMPLE//token=="])
def test_a_bearer_key_is_a_request_that_botocore_signs_alike(token: str) -> None:
    signing = {**KEYS, "session_token": token, "region": "eu-central-1"}
    head, _, coded = bearer_key(signing, 3600, NOW).rpartition("-")
    assert head == "bedrock-api-key"
    ours = urlsplit("https://" + base64.b64decode(coded).decode())
    request = AWSRequest(
        method="POST",
        url="https://bedrock.amazonaws.com/",
        headers={"host": "bedrock.amazonaws.com"},
        params={"Action": "CallWithBearerToken"},
    )
    with mock.patch("botocore.auth.get_current_datetime", return_value=MOMENT.replace(tzinfo=None)):
        signer: Any = auth.SigV4QueryAuth(
            Credentials(KEYS["access_key"], KEYS["secret_key"], token or None),
            "bedrock",
            "eu-central-1",
            expires=3600,
        )
        signer.add_auth(request)
    theirs = urlsplit(str(request.url) + "&Version=1")
    assert (ours.hostname, ours.path) == (theirs.hostname, theirs.path)
    assert sorted(parse_qsl(ours.query)) == sorted(parse_qsl(theirs.query))
