"""AWS Signature Version 4, for requests whose bytes are final.

Source: docs.aws.amazon.com, "AWS Signature Version 4 for API requests", and botocore, against which it is
tested. Nothing here waits or asks.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from hmac import digest
from urllib.parse import SplitResult, quote, urlsplit

_ALGORITHM = "AWS4-HMAC-SHA256"
_HOST = re.compile(
    r"(?:.+\.)?(bedrock-runtime|bedrock-mantle|aws-external-anthropic)(?:-fips)?"
    r"\.([a-z0-9-]+)\.(?:vpce\.)?(?:amazonaws\.com(?:\.cn)?|api\.aws)"
)
_SERVICES = {"bedrock-runtime": "bedrock"}
"""Services whose name in a signature is not that of their hosts."""
_PORTS = {"https": 443, "http": 80}


def sign(
    signing: Mapping[str, str], method: str, url: str, content_type: str, body: bytes, now: float
) -> dict[str, str]:
    """The headers that prove a request; `now` is in Unix seconds.

    `signing` has `access_key`, `secret_key`, perhaps `session_token`, and the `region` and `service` that
    count where the host tells none.
    """
    parts = urlsplit(url)
    region, service = _scope(signing, parts)
    moment = _moment(now)
    headers = {"content-type": content_type, "host": _host(parts), "x-amz-date": moment}
    if token := signing.get("session_token"):
        headers["x-amz-security-token"] = token
    names = ";".join(headers)
    lines = "".join(f"{name}:{' '.join(value.split())}\n" for name, value in headers.items())
    # By name, not by line: "=" stands behind "." and "-".
    query = "&".join(sorted(parts.query.split("&"), key=lambda pair: pair.partition("=")))
    # The path on the wire is quoted once more, for every service but S3.
    path = quote(parts.path or "/", safe="/-._~")
    canonical = "\n".join((method, path, query, lines, names, sha256(body).hexdigest()))
    scope = f"{moment[:8]}/{region}/{service}/aws4_request"
    signature = _signature(signing["secret_key"], moment, scope, canonical)
    proof = f"Credential={signing['access_key']}/{scope}, SignedHeaders={names}, Signature={signature}"
    sent = {"X-Amz-Date": moment, "Authorization": f"{_ALGORITHM} {proof}"}
    if token:
        sent["X-Amz-Security-Token"] = token
    return sent


def bearer_key(signing: Mapping[str, str], seconds: int, now: float) -> str:
    """A short-lived API key of Bedrock: a request to call with a bearer token, signed in advance.

    Source: aws-bedrock-token-generator 1.1.0. Good for `seconds`, in the region of `signing`.
    """
    moment = _moment(now)
    scope = f"{moment[:8]}/{signing['region']}/bedrock/aws4_request"
    query = {
        "Action": "CallWithBearerToken",
        "X-Amz-Algorithm": _ALGORITHM,
        "X-Amz-Credential": f"{signing['access_key']}/{scope}",
        "X-Amz-Date": moment,
        "X-Amz-Expires": str(seconds),
        "X-Amz-SignedHeaders": "host",
    }
    if token := signing.get("session_token"):
        query["X-Amz-Security-Token"] = token
    written = {name: quote(value, safe="-._~") for name, value in query.items()}
    line = "&".join(f"{name}={value}" for name, value in sorted(written.items()))
    host = "bedrock.amazonaws.com"
    canonical = "\n".join(("POST", "/", line, f"host:{host}\n", "host", sha256().hexdigest()))
    signature = _signature(signing["secret_key"], moment, scope, canonical)
    line = "&".join(f"{name}={value}" for name, value in written.items())
    request = f"{host}/?{line}&X-Amz-Signature={signature}&Version=1"
    return "bedrock-api-key-" + base64.b64encode(request.encode()).decode()


def _signature(secret: str, moment: str, scope: str, canonical: str) -> str:
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = digest(key, part.encode(), "sha256")
    text = "\n".join((_ALGORITHM, moment, scope, sha256(canonical.encode()).hexdigest()))
    return digest(key, text.encode(), "sha256").hex()


def _scope(signing: Mapping[str, str], parts: SplitResult) -> tuple[str, str]:
    found = _HOST.fullmatch(parts.hostname or "")
    if found is None:
        return signing.get("region") or "us-east-1", signing.get("service") or "bedrock"
    return found[2], _SERVICES.get(found[1], found[1])


def _host(parts: SplitResult) -> str:
    """The Host header as the HTTP client writes it: without the port of the scheme."""
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    return host if parts.port in (None, _PORTS.get(parts.scheme)) else f"{host}:{parts.port}"


def _moment(now: float) -> str:
    return datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
