"""What an upstream error means: its kind, from business codes, words and HTTP status, as tables.

A `Kind` is how the error goes to the client: Anthropic's status and type, and whether trying again can help.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from claude_code_proxy.core.errors.api import ErrorType
from claude_code_proxy.core.errors.fault import Fault
from claude_code_proxy.core.errors.kind_words import Failure, failure_in
from claude_code_proxy.core.errors.rate_limits import wait_in_body


class Kind(NamedTuple):
    """`hopeless`: the same request will fail again, so `x-should-retry: false` goes to the client.

    `again`: the proxy itself sends the same request once more, which often helps.
    """

    name: str
    status: int
    type: ErrorType
    hopeless: bool = False
    again: bool = False


INVALID = Kind("invalid", 400, "invalid_request_error", hopeless=True)
FILTERED = Kind("filtered", 400, "invalid_request_error", hopeless=True)
OVERFLOW = Kind("overflow", 400, "invalid_request_error")
AUTH = Kind("auth", 401, "authentication_error", hopeless=True)
BILLING = Kind("billing", 402, "billing_error", hopeless=True)
PERMISSION = Kind("permission", 403, "permission_error", hopeless=True)
NO_ABILITY = Kind("no_ability", 400, "invalid_request_error", hopeless=True)
UNKNOWN_MODEL = Kind("unknown_model", 404, "not_found_error")
CONFLICT = Kind("conflict", 409, "conflict_error")
TOO_LARGE = Kind("too_large", 413, "request_too_large", hopeless=True)
RATE = Kind("rate", 429, "rate_limit_error")
PLAN_USED_UP = Kind("plan_used_up", 429, "rate_limit_error", hopeless=True)
SERVER = Kind("server", 500, "api_error")
CRASHED = Kind("crashed", 500, "api_error", again=True)
BAD_CALL = Kind("bad_call", 500, "api_error", again=True)
NO_MEMORY = Kind("no_memory", 500, "api_error", hopeless=True)
WRONG_ENDPOINT = Kind("wrong_endpoint", 500, "api_error", hopeless=True)
BAD_GATEWAY = Kind("bad_gateway", 502, "api_error")
TIMEOUT = Kind("timeout", 504, "timeout_error")
OVERLOADED = Kind("overloaded", 529, "overloaded_error")

MAY_BE_OVERFLOW = (INVALID, PERMISSION, TOO_LARGE, SERVER, BAD_GATEWAY)
"""The kinds that a prompt that does not fit comes as: their statuses and codes say less than its words."""

# Codes that say more than the HTTP status beside them. Four-digit ones are GLM's.
_CODES: dict[str, Kind] = {
    "insufficient_quota": BILLING,
    "billing_not_active": BILLING,
    "billing_not_configured": BILLING,
    "account_deactivated": BILLING,
    "insufficient_credits": BILLING,
    "insufficient_funds": BILLING,
    "payment_required": BILLING,
    "insufficient_balance": BILLING,
    "insufficient_balance_error": BILLING,
    "insufficient_user_quota": BILLING,
    "credit_balance_exhausted": BILLING,
    "usage_not_included": BILLING,
    "billing_error": BILLING,
    "billing_hard_limit_reached": BILLING,
    "exceeded_current_quota_error": BILLING,
    "arrearage": BILLING,
    "accountoverdueerror": BILLING,
    "invalidsubscription": BILLING,
    "allocationquota.freetieronly": BILLING,
    "1113": BILLING,
    "1309": BILLING,
    "rate_limit_exceeded": RATE,
    "slow_down": RATE,
    "limitrequests": RATE,
    "1302": RATE,
    "1303": RATE,
    "1305": RATE,
    "1313": RATE,
    "quotaexceeded": PLAN_USED_UP,
    "quota_exceeded": PLAN_USED_UP,
    "free_quota_exceeded": PLAN_USED_UP,
    "overage_limit_reached": PLAN_USED_UP,
    "usage_limit_reached": PLAN_USED_UP,
    "spend_limit_reached": PLAN_USED_UP,
    "setlimitexceeded": PLAN_USED_UP,
    "coding_plan_hour_quota_exceeded": PLAN_USED_UP,
    "coding_plan_week_quota_exceeded": PLAN_USED_UP,
    "coding_plan_month_quota_exceeded": PLAN_USED_UP,
    "1308": PLAN_USED_UP,
    "1310": PLAN_USED_UP,
    "engine_overloaded_error": OVERLOADED,
    "server_is_overloaded": OVERLOADED,
    "serveroverloaded": OVERLOADED,
    "service_tier_capacity_exceeded": OVERLOADED,
    "invalid_api_key": AUTH,
    "invalidapikey": AUTH,
    "incorrect_api_key_error": AUTH,
    "api_key_invalid": AUTH,
    "unauthenticated:no-credentials": AUTH,
    "accessdenied.unpurchased": PERMISSION,
    "1311": PERMISSION,
    "1315": PERMISSION,
    "tool_use_failed": BAD_CALL,
    "json_validate_failed": BAD_CALL,
    "malformed_function_call": BAD_CALL,
    "model_not_found": UNKNOWN_MODEL,
    "model_decommissioned": UNKNOWN_MODEL,
    "model_not_supported": UNKNOWN_MODEL,
    "modelnotfound": UNKNOWN_MODEL,
    "modelnotopen": UNKNOWN_MODEL,
    "unsupportedmodel": UNKNOWN_MODEL,
    "deploymentnotfound": UNKNOWN_MODEL,
    "invalidendpointormodel.notfound": UNKNOWN_MODEL,
    "1211": UNKNOWN_MODEL,
    "content_filter": FILTERED,
    "content_policy_violation": FILTERED,
    "responsibleaipolicyviolation": FILTERED,
    "datainspectionfailed": FILTERED,
    "data_inspection_failed": FILTERED,
    "inputtextsensitivecontentdetected": FILTERED,
    "outputtextsensitivecontentdetected": FILTERED,
    "1301": FILTERED,
}
_CODE_PREFIXES = (
    ("throttling", RATE),
    ("modelaccount", RATE),
    ("invalid_prompt", INVALID),  # these stand in failed Responses, where there is no status
    ("invalid_image", INVALID),
    ("invalid_base64_image", INVALID),
    ("image_", INVALID),
)

# Words that providers also put beside a status that contradicts them (DeepSeek: 402 with
# `invalid_request_error`), so they count only where there is no status.
_GENERIC_CODES: dict[str, Kind] = {
    "invalid_request_error": INVALID,
    "bad_request_error": INVALID,
    "invalid_argument": INVALID,
    "failed_precondition": INVALID,
    "invalid_parameter_error": INVALID,
    "invalidparameter": INVALID,
    "badrequesterror": INVALID,
    "authentication_error": AUTH,
    "authorized_error": AUTH,
    "invalid_authentication_error": AUTH,
    "unauthenticated": AUTH,
    "permission_error": PERMISSION,
    "permission_denied": PERMISSION,
    "not_found": UNKNOWN_MODEL,
    "not_found_error": UNKNOWN_MODEL,
    "notfounderror": UNKNOWN_MODEL,
    "resource_not_found_error": UNKNOWN_MODEL,
    "request_too_large": TOO_LARGE,
    "rate_limit_error": RATE,
    "rate_limited": RATE,
    "rate_limit_reached_error": RATE,
    "resource_exhausted": RATE,
    "too_many_requests": RATE,
    "timeout_error": TIMEOUT,
    "deadline_exceeded": TIMEOUT,
    "requesttimeout": TIMEOUT,
    "overloaded_error": OVERLOADED,
    "overloaded": OVERLOADED,
    "unavailable": OVERLOADED,
    "service_unavailable_error": OVERLOADED,
    "serviceunavailable": OVERLOADED,
}

# MiniMax numbers its errors in `base_resp.status_code`; the same numbers mean other things elsewhere.
_BASE_CODES: dict[int, Kind] = {
    1001: TIMEOUT,
    1002: RATE,
    1004: AUTH,
    1008: BILLING,
    1026: FILTERED,
    1027: FILTERED,
    1039: RATE,
    2013: INVALID,
    2049: AUTH,
    2056: PLAN_USED_UP,
    2061: PERMISSION,
}

_STATUSES: dict[int, Kind] = {
    401: AUTH,
    402: BILLING,
    403: PERMISSION,
    404: WRONG_ENDPOINT,
    405: WRONG_ENDPOINT,
    408: TIMEOUT,
    409: CONFLICT,
    413: TOO_LARGE,
    424: RATE,
    425: RATE,
    429: RATE,
    498: OVERLOADED,
    501: WRONG_ENDPOINT,
    502: BAD_GATEWAY,
    503: OVERLOADED,
    504: TIMEOUT,
    524: TIMEOUT,
    529: OVERLOADED,
}

_WRONG_KEY = re.compile(
    r"(?:incorrect|invalid|wrong) api[ _-]?key|api[ _-]?key (?:is )?(?:not valid|invalid|expired)",
    re.IGNORECASE,
)
_NO_SUCH_MODEL = re.compile(
    r"(?:model|deployment)\b.{0,160}?(?:(?:does |do )?not (?:exist|found|be found)|is not a valid model"
    r"|is unknown|unknown model|(?:has been|is|was) (?:deprecated|decommissioned|retired|no longer))"
    r"|model is not supported(?: when|\.?$)"
    r"|(?:unknown|invalid|no such) model\b|not found the model|not a valid model id"
    r"|no endpoints found for|function .{0,80}not found for account|^model: ",
    re.IGNORECASE | re.DOTALL,
)


def classify(status: int, fault: Fault) -> Kind:
    """The kind of an error with this HTTP `status` (below 400: none given). Overflow is not looked for."""
    status = status if status >= 400 else fault.status
    kind = _BASE_CODES.get(fault.base_code) or _by_code(fault, _CODES)
    if kind in (None, RATE) and status in (0, 400, 403, 404, 422, 429, 500):
        kind = _by_words(status, fault) or kind
    if kind is None and not status:
        kind = _by_code(fault, _GENERIC_CODES) or SERVER
    if kind is None:
        kind = _STATUSES.get(status)
    if kind is None:
        kind = INVALID if status < 500 else SERVER
    return kind


def _by_code(fault: Fault, table: dict[str, Kind]) -> Kind | None:
    for code in fault.codes:
        if kind := table.get(code):
            return kind
        for prefix, prefix_kind in _CODE_PREFIXES:
            if code.startswith(prefix):
                return prefix_kind
    return None


_FAILURES: dict[Failure, Kind] = {
    "no_memory": NO_MEMORY,
    "crashed": CRASHED,
    "bad_call": BAD_CALL,
    "no_ability": NO_ABILITY,
    "billing": BILLING,
    "used_up": PLAN_USED_UP,
    "rate": RATE,
    "busy": OVERLOADED,
}


def _by_words(status: int, fault: Fault) -> Kind | None:
    """What the words say, where statuses say little: an empty account and a wrong key come with any."""
    if status != 429 and _WRONG_KEY.search(fault.message):
        return AUTH
    kind = _FAILURES.get(found) if (found := failure_in(fault.message)) else None
    if kind in (BILLING, PLAN_USED_UP) and wait_in_body(fault, 0.0) is not None:
        return RATE  # Gemini words its limit per minute like a spent quota, and says when to come back
    if status == 429:
        return kind if kind in (BILLING, PLAN_USED_UP) else None
    if kind is None and status in (0, 400, 404) and _NO_SUCH_MODEL.search(fault.message):
        return UNKNOWN_MODEL
    return kind
