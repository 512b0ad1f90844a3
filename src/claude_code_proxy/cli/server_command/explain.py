"""`claude-code-proxy explain`: the converted request and the notices, without calling anyone."""

from __future__ import annotations

import asyncio
import difflib
import json
import sys
from pathlib import Path
from typing import Any

from claude_code_proxy.cli import output
from claude_code_proxy.config.models_yaml.model import ModelConfig
from claude_code_proxy.config.models_yaml.model_table import ModelTable
from claude_code_proxy.config.models_yaml.models_file import load_models
from claude_code_proxy.config.settings import ServerSettings
from claude_code_proxy.core import wire
from claude_code_proxy.core.errors.api import ApiError
from claude_code_proxy.server.hooks.user_hooks import Hooks
from claude_code_proxy.server.routes.explanation import Explanation, rule_for
from claude_code_proxy.server.routes.explanation import explain as explain_request


def explain(
    settings: ServerSettings,
    source: str,
    model: str | None,
    *,
    diff: bool,
    as_json: bool,
    request_class: str = "",
) -> int:
    """Explain the request in the file `source` (`-`: standard input), to `model` or to the one it names.

    `request_class` is what the client would say of it in its header, for the rules of `routes`.
    Returns the exit code: 1 for a request that cannot be read or served. Raises `ConfigError`.
    """
    table = load_models(settings.models)
    try:
        request = _read(source)
        if model is not None:
            request["model"] = model
        config = _resolved(table, request.get("model"))
        rule = rule_for(config, request_class, request)
        config = config if rule is None else _resolved(table, rule.to)
        before = _pretty(request)
        hooks = Hooks(settings.hooks, strict=settings.hook_errors == "refuse") if settings.hooks else None
        explanation = asyncio.run(explain_request(config, request, hooks, rule))
    except (UnusableError, ApiError) as error:
        output.error(error)
        return output.FAILURE
    if as_json:
        output.document({"version": 1, **explanation.document()})
    else:
        _print(explanation, before if diff else None)
    return output.OK


class UnusableError(Exception):
    """The request cannot be explained; the text says why."""


def _resolved(table: ModelTable, name: object) -> ModelConfig:
    if not isinstance(name, str) or not name:
        raise UnusableError("the request names no model (hint: --model)")
    config = table.resolve(name)
    if config is None:
        near = table.near(name)
        hint = f"did you mean {', '.join(near)}?" if near else "claude-code-proxy models lists them"
        raise UnusableError(f"{name} is not configured (hint: {hint})")
    return config


def _read(source: str) -> dict[str, Any]:
    try:
        raw = sys.stdin.buffer.read() if source == "-" else Path(source).expanduser().read_bytes()
        request = wire.loads(raw)
    except OSError as error:
        raise UnusableError(f"{source}: cannot be read: {error.strerror}") from error
    except wire.WireError as error:
        raise UnusableError(f"{source}:{error.line}: not valid JSON: {error}") from error
    if not isinstance(request, dict):
        raise UnusableError(f"{source}: a request is a JSON object")
    return request


def _pretty(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _print(explanation: Explanation, before: str | None) -> None:
    counted = "" if explanation.input_tokens is None else f", about {explanation.input_tokens} tokens"
    print(f"POST {explanation.upstream_url} (profile {explanation.profile}{counted})")
    if explanation.rule:
        print(f"  the rule {explanation.rule} sends it to {explanation.model}")
    for notice in explanation.notices:
        quiet = " [quiet]" if notice.quiet else ""
        print(f"  {notice.action} {notice.code} at {notice.path}: {notice.reason}{quiet}")
    if not explanation.notices:
        print("  everything is carried over")
    print()
    after = _pretty(explanation.upstream_request)
    if before is None:
        print(after)
        return
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), "client", "upstream", lineterm="")
    print("\n".join(lines))
