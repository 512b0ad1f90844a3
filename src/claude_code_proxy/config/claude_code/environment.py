"""The environment in which `ccproxy` starts Claude Code (its meaning: Claude Code's own documentation)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from claude_code_proxy.config import urls
from claude_code_proxy.config.cc_proxy_json.providers_file import (
    CLASSIFIER_VARIABLE,
    SUBAGENT_VARIABLE,
    TIER_VARIABLES,
    Provider,
)
from claude_code_proxy.core import hosts
from claude_code_proxy.core.providers.profile import Effort, clamp_effort

KEY_VARIABLE = "ANTHROPIC_AUTH_TOKEN"
OWN_VARIABLE = "CCPROXY_SET"
"""Names the optional variables that an outer `ccproxy` set, so that a nested one does not take them for the
user's own."""

SESSION_VARIABLE = "CCPROXY_SESSION"
"""Names the provider of the session that `ccproxy` started, for what runs inside it."""
HEADERS_VARIABLE = "ANTHROPIC_CUSTOM_HEADERS"
MANAGED_VARIABLE = "CLAUDE_CODE_PROVIDER_MANAGED_BY_HOST"
SECRETS = (KEY_VARIABLE, HEADERS_VARIABLE)
"""The variables that are never shown and never in an argument."""

OTHER_BACKENDS = tuple(
    f"CLAUDE_CODE_USE_{backend}" for backend in ("ANTHROPIC_AWS", "BEDROCK", "FOUNDRY", "MANTLE", "VERTEX")
)
"""Each of these makes Claude Code ignore `ANTHROPIC_BASE_URL`."""
KEPT = ("ANTHROPIC_BETAS", "ANTHROPIC_LOG")
"""The `ANTHROPIC_*` variables that do not choose a provider, a model or a key; all others are cleared."""

SMALL_WINDOW = 48_000
"""Tokens: in a smaller window Claude Code's instructions and tools leave too little room for work."""

_MILLION = 1_000_000
_USUAL_OUTPUT = 32_000
"""Tokens: what Claude Code asks for by itself of a model that it does not know."""
_PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
_PLAIN_ID = re.compile(r"[\w./:@-]+")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Limits(NamedTuple):
    """What is known about the model: window and output limit in tokens, a forced effort, whose it is."""

    context: int | None = None
    max_tokens: int | None = None
    is_anthropic: bool = False
    effort: str | None = None
    capabilities: tuple[str, ...] = ()
    """What models lack of what Claude Code takes for given: see `lacking`."""


def lacking(model_id: str, levels: Sequence[Effort]) -> str:
    """What Claude Code shall not offer for a model with these `levels` of effort; "" for nothing.

    An entry of `CLAUDE_CODE_MODEL_CAPABILITIES` (2.1.330), which offers five levels for an id that it does
    not know. Where a level is off, it sends `high` for it: so one is off only where it comes to the same.
    """
    if not _PLAIN_ID.fullmatch(model_id):
        return ""
    if not levels:
        return f"{model_id}=-effort"
    high = clamp_effort("high", levels)
    above: tuple[Effort, ...] = ("xhigh", "max")
    off = [f"-{level}_effort" for level in above if clamp_effort(level, levels) == high]
    return f"{model_id}={','.join(off)}" if off else ""


class Target(NamedTuple):
    """Where Claude Code sends its requests, and with what."""

    base_url: str
    key: str
    """For the Authorization header; "" where Claude Code's own `apiKeyHelper` tells it."""
    is_ours: bool = False
    """Whether a claude-code-proxy answers there."""
    hidden: tuple[str, ...] = ()
    """The variables with keys that the session does not need: the proxy has them."""

    def __repr__(self) -> str:
        return f"Target({self.base_url!r}, key=(hidden))"


class Changes(NamedTuple):
    """How Claude Code's environment differs from the one `ccproxy` was started in."""

    required: dict[str, str]
    """Set, whatever was there: the provider, its key, its models."""
    optional: dict[str, str]
    """Set because the user has not."""
    removed: tuple[str, ...]
    """Taken out, because they would fight the required ones or are keys."""


def plan_changes(provider: Provider, target: Target, base_env: Mapping[str, str], limits: Limits) -> Changes:
    """What to set and to clear for `provider` reached at `target`; pure."""
    required = _required(provider, target, limits)
    ours = set(base_env.get(OWN_VARIABLE, "").split(","))
    optional = {
        name: value
        for name, value in _optional(provider, target, limits).items()
        if name not in base_env or name in ours
    }
    stale = ours & set(base_env) - set(optional)
    if optional:
        required[OWN_VARIABLE] = ",".join(optional)
    else:
        stale |= {OWN_VARIABLE} & set(base_env)
    required.update(_no_proxy(target, base_env))
    unwanted = {name for name in base_env if fights(name) or name in target.hidden}
    removed = (unwanted | stale) - set(required)
    return Changes(required, optional, tuple(sorted(removed)))


def apply_changes(changes: Changes, base_env: Mapping[str, str]) -> dict[str, str]:
    """The environment for Claude Code: `base_env` with `changes`."""
    kept = {name: value for name, value in base_env.items() if name not in changes.removed}
    return kept | changes.required | changes.optional


def is_nested(base_env: Mapping[str, str]) -> bool:
    """Whether this runs inside a session that `ccproxy` started."""
    return SESSION_VARIABLE in base_env


def _required(provider: Provider, target: Target, limits: Limits) -> dict[str, str]:
    # Without the tiers, subagents ask for Claude models that no other provider has.
    tiers = {variable: provider.tiers.get(variable, provider.model) for variable in TIER_VARIABLES}
    names = {f"{variable}_NAME": f"{model} ({provider.name})" for variable, model in tiers.items()}
    required = {
        "ANTHROPIC_BASE_URL": client_base(target.base_url),
        "ANTHROPIC_MODEL": provider.model,
        "ANTHROPIC_SMALL_FAST_MODEL": provider.small_model or provider.model,
        **tiers,
        **names,
        SESSION_VARIABLE: provider.name,
    }
    if target.key:
        required[KEY_VARIABLE] = target.key
        # Claude Code then takes where to go and with which key from here and not from its settings files,
        # and runs no helper (2.1.330).
        required[MANAGED_VARIABLE] = "1"
    if provider.subagent_model:
        required[SUBAGENT_VARIABLE] = provider.subagent_model
    if provider.classifier_model:
        required[CLASSIFIER_VARIABLE] = provider.classifier_model
    context = provider.context or limits.context
    if context and context < _MILLION and not limits.is_anthropic:
        # "Default" of `/model` is the model with a window of a million tokens otherwise, whatever it has.
        required["CLAUDE_CODE_DISABLE_1M_CONTEXT"] = "1"
    return required


def _optional(provider: Provider, target: Target, limits: Limits) -> dict[str, str]:
    optional: dict[str, str] = {}
    context = provider.context or limits.context
    if context:  # an id that Claude Code does not know counts as 200,000 or a million tokens otherwise
        optional["CLAUDE_CODE_MAX_CONTEXT_TOKENS"] = str(context)
    max_tokens = provider.max_tokens or _output_limit(limits, context)
    if max_tokens:
        optional["CLAUDE_CODE_MAX_OUTPUT_TOKENS"] = str(max_tokens)
    if limits.effort:
        optional["CLAUDE_CODE_EFFORT_LEVEL"] = limits.effort
    if limits.capabilities:
        optional["CLAUDE_CODE_MODEL_CAPABILITIES"] = ";".join(limits.capabilities)
    if target.is_ours:  # /model then lists what the proxy has
        optional["CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY"] = "1"
        optional["CLAUDE_CODE_GATEWAY_HINT_HEADERS"] = "1"  # what kind of request it is: `routes`, `usage`
    if not (limits.is_anthropic or urls.is_anthropic(urlsplit(provider.base_url))):
        # The attribution block changes per conversation and stands first: no prompt cache would ever hit.
        optional["CLAUDE_CODE_ATTRIBUTION_HEADER"] = "0"
        # Our proxy judges tool calls for auto mode, as Anthropic's servers do; no other provider does.
        judged = target.is_ours and provider.safety_model != ""
        optional["CLAUDE_CODE_AUTO_MODE_SERVER"] = "1" if judged else "0"
    return optional


def _output_limit(limits: Limits, context: int | None) -> int | None:
    """The output limit to ask for: a model's own may be its whole window and leave no room for a prompt."""
    if limits.max_tokens is None or context is None:
        return limits.max_tokens
    return min(limits.max_tokens, max(_USUAL_OUTPUT, context // 4))


def _no_proxy(target: Target, base_env: Mapping[str, str]) -> dict[str, str]:
    """Keep requests to a local proxy away from the company's one."""
    if not is_loopback(target.base_url) or not any(base_env.get(name) for name in _PROXY_VARIABLES):
        return {}
    listed = [
        entry.strip()
        for name in ("NO_PROXY", "no_proxy")
        for entry in base_env.get(name, "").split(",")
        if entry.strip()
    ]
    value = ",".join(dict.fromkeys([*listed, *_LOOPBACK]))
    return {"NO_PROXY": value, "no_proxy": value}


def fights(name: str) -> bool:
    """Whether a variable of this name, set by someone else, could send Claude Code somewhere else."""
    if name.startswith("ANTHROPIC_"):
        return name not in KEPT
    return name in OTHER_BACKENDS or name in (SUBAGENT_VARIABLE, CLASSIFIER_VARIABLE, SESSION_VARIABLE)


def is_loopback(url: str) -> bool:
    """Whether the URL's host is this machine."""
    return hosts.is_loopback(urlsplit(url).hostname or "")


def client_base(base_url: str) -> str:
    """Claude Code appends `/v1/messages` itself."""
    return base_url.rstrip("/").removesuffix("/messages").removesuffix("/v1").rstrip("/")
