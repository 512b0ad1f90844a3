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


def _by_code_word(words: dict[Kind, str]) -> dict[str, Kind]:
    return {word: kind for kind, line in words.items() for word in line.split()}


# Codes that say more than the HTTP status beside them. Four-digit ones are GLM's.
_CODES = _by_code_word(
    {
        BILLING: """insufficient_quota billing_not_active billing_not_configured account_deactivated
            insufficient_credits insufficient_funds payment_required insufficient_balance
            insufficient_balance_error insufficient_user_quota credit_balance_exhausted
            usage_not_included billing_error billing_hard_limit_reached exceeded_current_quota_error
            arrearage accountoverdueerror invalidsubscription allocationquota.freetieronly 1113 1309""",
        RATE: "rate_limit_exceeded slow_down limitrequests 1302 1303 1305 1313",
        PLAN_USED_UP: """quotaexceeded quota_exceeded free_quota_exceeded overage_limit_reached
            usage_limit_reached spend_limit_reached setlimitexceeded coding_plan_hour_quota_exceeded
            coding_plan_week_quota_exceeded coding_plan_month_quota_exceeded 1308 1310""",
        OVERLOADED: """engine_overloaded_error server_is_overloaded serveroverloaded
            service_tier_capacity_exceeded""",
        AUTH: """invalid_api_key invalidapikey incorrect_api_key_error api_key_invalid
            unauthenticated:no-credentials""",
        PERMISSION: "accessdenied.unpurchased 1311 1315",
        BAD_CALL: "tool_use_failed json_validate_failed malformed_function_call",
        UNKNOWN_MODEL: """model_not_found model_decommissioned model_not_supported modelnotfound modelnotopen
            unsupportedmodel deploymentnotfound invalidendpointormodel.notfound 1211""",
        FILTERED: """1301 content_filter content_policy_violation responsibleaipolicyviolation
            datainspectionfailed data_inspection_failed inputtextsensitivecontentdetected
            outputtextsensitivecontentdetected""",
    }
)
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
_GENERIC_CODES = _by_code_word(
    {
        INVALID: """invalid_request_error bad_request_error invalid_argument failed_precondition
            invalid_parameter_error invalidparameter badrequesterror""",
        AUTH: "authentication_error authorized_error invalid_authentication_error unauthenticated",
        PERMISSION: "permission_error permission_denied",
        UNKNOWN_MODEL: "not_found not_found_error notfounderror resource_not_found_error",
        TOO_LARGE: "request_too_large",
        RATE: "rate_limit_error rate_limited rate_limit_reached_error resource_exhausted too_many_requests",
        TIMEOUT: "timeout_error deadline_exceeded requesttimeout",
        OVERLOADED: "overloaded_error overloaded unavailable service_unavailable_error serviceunavailable",
    }
)

# MiniMax numbers its errors in `base_resp.status_code`; the same numbers mean other things elsewhere.
_BASE_CODES: dict[int, Kind] = {
    1001: TIMEOUT, 1002: RATE, 1004: AUTH, 1008: BILLING, 1026: FILTERED, 1027: FILTERED, 1039: RATE,
    2013: INVALID, 2049: AUTH, 2056: PLAN_USED_UP, 2061: PERMISSION,
}  # fmt: skip

_STATUSES: dict[int, Kind] = {
    401: AUTH, 402: BILLING, 403: PERMISSION, 404: WRONG_ENDPOINT, 405: WRONG_ENDPOINT, 408: TIMEOUT,
    409: CONFLICT, 413: TOO_LARGE, 424: RATE, 425: RATE, 429: RATE, 498: OVERLOADED, 501: WRONG_ENDPOINT,
    502: BAD_GATEWAY, 503: OVERLOADED, 504: TIMEOUT, 524: TIMEOUT, 529: OVERLOADED,
}  # fmt: skip

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
    "no_memory": NO_MEMORY, "crashed": CRASHED, "bad_call": BAD_CALL, "no_ability": NO_ABILITY,
    "billing": BILLING, "used_up": PLAN_USED_UP, "rate": RATE, "busy": OVERLOADED,
}  # fmt: skip


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
