"""What a request carries for its key: further headers, a signature, and another key after a refusal."""

from __future__ import annotations

import time

from claude_code_proxy.core.header_values import http_date
from claude_code_proxy.server.caller.call import Call
from claude_code_proxy.server.upstream.upstreams import UpstreamClient
from claude_code_proxy.transports.protocol import Response

_REFUSALS = (
    "expiredtoken",
    "unrecognizedclient",
    "invalidclienttokenid",
    "invalidsignature",
    "requesttimetooskewed",
    "requestexpired",
)
"""How the names of AWS's refusals of a key or of a signature begin; their status is 403."""
_SKEW = 60.0
"""Seconds between two clocks that are more than the way of a request; AWS bears five minutes."""


def put(call: Call, client: UpstreamClient, body: bytes) -> UpstreamClient:
    """The client with what belongs to the key of `call`, for a request that is sent now."""
    if call.key_headers or call.key_base:
        client = client.carry(call.key_headers, call.key_base)
    if call.key_signing:
        from claude_code_proxy.credentials.aws.sigv4 import sign  # only for those who need it

        ahead = call.session_keys.ahead if call.session_keys is not None else 0.0
        kind = client.headers.get("content-type") or ""
        client.headers.update(sign(call.key_signing, "POST", client.url, kind, body, time.time() + ahead))
    return client


def secrets(call: Call) -> tuple[str, ...]:
    """What of a request is for nobody but the upstream."""
    return tuple(filter(None, (call.key, *call.key_headers.values(), call.key_signing.get("session_token"))))


def is_refused(response: Response) -> bool:
    """Whether the upstream did not accept the key itself."""
    name = response.headers.get("x-amzn-errortype") or ""
    return response.status == 401 or (response.status == 403 and name.lower().startswith(_REFUSALS))


async def renew(call: Call, client: UpstreamClient, response: Response) -> bool:
    """Whether `call` can now prove more than what `response` refuses. Raises `ApiError` where it cannot.

    That is another key, or a signature by the upstream's clock where ours is wrong.
    """
    keys, refused = call.session_keys, call.key
    assert keys is not None
    if call.key_signing and (moment := http_date(response.headers.get("date") or "")) is not None:
        ahead = moment - time.time()
        if abs(ahead - keys.ahead) > _SKEW:
            keys.ahead = ahead
            return True
    fresh = await keys.renew(client.config, refused)
    if fresh is None:
        return False
    call.use_key(client.config, fresh.token, fresh)
    client.change_key(refused, fresh.token)
    return True
