"""The caller's key: read from the request, handed to one upstream, kept nowhere."""

from __future__ import annotations

from collections.abc import Mapping

from claude_code_proxy.core.errors.api import ApiError


def extract_api_key(headers: Mapping[str, str]) -> str:
    """The key that came with a request.

    `headers` has lower-case names. `Authorization: Bearer X` counts first, a bare token there too, then
    `x-api-key`. Raises `ApiError` 401 when there is none; `x-should-retry: false` keeps Claude Code from
    trying for minutes.
    """
    key = bearer_token(headers) or headers.get("x-api-key", "").strip()
    if not key:
        raise ApiError(
            401,
            "authentication_error",
            "no API key came with the request: send the provider's key as `Authorization: Bearer KEY` or "
            "`x-api-key: KEY` (ccproxy: `auth_key` in cc-proxy.json; Claude Code: ANTHROPIC_AUTH_TOKEN)",
            headers={"x-should-retry": "false"},
        )
    return key


def keys_of(headers: Mapping[str, str]) -> set[str]:
    """The keys in `headers`; "" where there is none."""
    return {bearer_token(headers), headers.get("x-api-key", "").strip()}


def bearer_token(headers: Mapping[str, str]) -> str:
    """The token of the Authorization header, or "" when there is none or it is of another scheme."""
    scheme, _, token = headers.get("authorization", "").strip().partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    return "" if token else scheme
