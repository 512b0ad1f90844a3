"""The top-level fields of a request that are neither messages nor tools."""

from __future__ import annotations

from typing import Any

from claude_code_proxy.core.errors.api import invalid_request
from claude_code_proxy.core.providers.profile import Profile
from claude_code_proxy.core.report import Report
from claude_code_proxy.core.request.fields import (
    check_nesting,
    kind_of,
    list_or_none,
    object_or_none,
    text_or_empty,
    whole_or_none,
)
from claude_code_proxy.core.wire import WireError, loads

_READ = frozenset(
    {
        "model", "messages", "system", "max_tokens", "stream", "temperature", "top_p", "top_k",
        "stop_sequences", "tools", "tool_choice", "thinking", "output_config", "output_format", "metadata",
        "service_tier", "context_management", "diagnostics",
    }
)  # fmt: skip

_OUTPUT_CONFIG = frozenset({"effort", "format", "task_budget"})

_LEAST_ON_RESPONSES = 16  # the API refuses a smaller max_output_tokens

_LOUD = {
    "mcp_servers": "the provider connects to no MCP servers: their tools are missing",
    "container": "the provider has no containers",
    "fallbacks": "other models are tried where the entry in models.yaml names them (`fallback`)",
}
_QUIET = {
    "cache_control": "the provider has no automatic cache marks",
    "betas": "betas exist in the Anthropic API only",
    "inference_geo": "the provider has no such choice",
    "fallback_credit_token": "no effect on the response",
    "billing_policy": "no effect on the response",
    "user_profile_id": "no effect on the response",
    "workspace_id": "no effect on the response",
    "compaction": "the provider has no compaction",
}
_MOST_STOPS = 16_384


def max_tokens(body: dict[str, Any], profile: Profile, report: Report) -> int:
    """The output limit in tokens, within the profile's; 0 stays 0. Raises `ApiError` 400 without one."""
    limit = whole_or_none(body, "max_tokens", "max_tokens")
    if limit is None:
        raise invalid_request("max_tokens: a whole number is required")
    if profile.max_output is not None and limit > profile.max_output:
        report.changed("max_tokens_clamped", "max_tokens", f"{limit} is over the limit {profile.max_output}")
        return profile.max_output
    least = profile.min_output or (_LEAST_ON_RESPONSES if profile.api == "responses" else 0)
    if 0 < limit < least:
        report.changed("max_tokens_raised", "max_tokens", f"{limit} is below the minimum, {least}")
        return least
    return limit


def stop_sequences(body: dict[str, Any], report: Report) -> tuple[str, ...]:
    """The stop sequences, each once, without blank ones."""
    if body.get("stop_sequences") is None:
        return ()
    sequences: dict[str, None] = {}
    for index, sequence in enumerate(list_or_none(body, "stop_sequences", "stop_sequences") or []):
        if not isinstance(sequence, str):
            raise invalid_request(f"stop_sequences.{index}: must be a string, found {kind_of(sequence)}")
        if sequence.strip():
            sequences[sequence] = None
        else:
            report.dropped(
                "blank_stop_sequence", f"stop_sequences.{index}", "a blank stop sequence is ignored"
            )
    if sum(map(len, sequences)) > _MOST_STOPS:  # each chunk of the answer is compared with them
        raise invalid_request(f"stop_sequences: must have at most {_MOST_STOPS} characters in all")
    return tuple(sequences)


def output_schema(
    body: dict[str, Any], output_config: dict[str, Any], report: Report
) -> dict[str, Any] | None:
    """The schema of `output_config.format`, else of the older top-level `output_format`."""
    if output_config.get("task_budget") is not None:
        report.dropped("task_budget", "output_config.task_budget", "no such field upstream", quiet=True)
    if not _OUTPUT_CONFIG.issuperset(output_config):
        for field in output_config.keys() - _OUTPUT_CONFIG:
            report.dropped("unknown_field", f"output_config.{field[:80]}", "the field is unknown")
    path = "output_config.format"
    output = object_or_none(output_config, "format", path)
    if output is None:
        path = "output_format"
        output = object_or_none(body, "output_format", path)
    if output is None:
        return None
    if output.get("type") != "json_schema":
        report.dropped("output_format", path, "only the type json_schema is known")
        return None
    schema = output.get("schema")
    if not isinstance(schema, dict):
        raise invalid_request(f"{path}.schema: must be an object, found {kind_of(schema)}")
    check_nesting(schema, f"{path}.schema")
    return schema


def identity(body: dict[str, Any]) -> tuple[str, str]:
    """What tells one user from another in `metadata.user_id`, and the session id in it; each "" without one.

    Claude Code puts a JSON object with device_id, account_uuid and session_id into the string.
    """
    raw = text_or_empty(object_or_none(body, "metadata", "metadata") or {}, "user_id")
    if not raw.startswith("{"):
        return raw, ""
    try:
        found = loads(raw)
    except WireError:
        found = None
    if not isinstance(found, dict):
        return raw, ""
    user = text_or_empty(found, "device_id") or text_or_empty(found, "account_uuid") or raw
    return user, text_or_empty(found, "session_id")


def service_tier(body: dict[str, Any], profile: Profile, report: Report) -> str:
    """The upstream's word for the service tier, "" to send none."""
    tier = body.get("service_tier")
    if tier is None or tier == "auto":
        return ""
    if profile.service_tier and tier == "standard_only":
        return "default"
    report.dropped("service_tier", "service_tier", "the provider has no such choice", quiet=True)
    return ""


def unmapped(body: dict[str, Any], profile: Profile, report: Report) -> dict[str, Any]:
    """The fields no rule maps that the profile accepts as they are; the others are dropped."""
    extra: dict[str, Any] = {}
    if _READ.issuperset(body):
        return extra
    for field, value in body.items():
        if field in _READ or value is None:
            continue
        if field in profile.accept_params:
            check_nesting(value, field)
            extra[field] = value
        elif field == "speed" and value == "standard":
            continue
        elif field == "speed":
            report.dropped("speed", field, "faster responses cost more; set it in the entry's extra_body")
        elif field in _QUIET:
            report.dropped(field, field, _QUIET[field], quiet=True)
        elif field in _LOUD:
            report.dropped(field, field, _LOUD[field])
        else:
            name = field[:80]
            report.dropped("unknown_field", name, "the field is unknown, the provider might refuse it")
    return extra
