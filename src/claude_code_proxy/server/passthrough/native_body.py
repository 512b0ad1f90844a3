"""What a passthrough request may need changed in its body: as little as possible, in its bytes."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from claude_code_proxy.config.models_yaml.model import ModelConfig
from claude_code_proxy.core import wire
from claude_code_proxy.core.continuity import SIGNATURE_PREFIX
from claude_code_proxy.core.conversation import reminder
from claude_code_proxy.core.header_values import listed
from claude_code_proxy.core.providers.profile import NativeRoute
from claude_code_proxy.core.report import Report
from claude_code_proxy.core.request.server_tools import call_line, result_line
from claude_code_proxy.core.request.tool_declarations import drops_tool
from claude_code_proxy.server.passthrough import splice

_SEAL = SIGNATURE_PREFIX.encode()
_SEARCH = b"web_search_tool_result"
_SEALED_FIELD = {"thinking": "signature", "redacted_thinking": "data"}


def edit(raw: bytes, request: dict[str, Any], config: ModelConfig, report: Report) -> bytes:
    """The request body as it goes to the upstream: `raw` itself unless something must change.

    `request` is `raw` parsed, and is changed. Edited are: the model's name when the upstream knows another
    one, `max_tokens` above the entry's limit, what the entry says the upstream refuses, thinking blocks that
    carry our own seal instead of a signature of this upstream, and searches that we reported for another one.
    """
    limit, asked = config.max_tokens, request.get("max_tokens")
    clamp = limit is not None and isinstance(asked, int) and asked > limit
    name = request["model"]
    changed = _edit_values(raw, request, config, report)
    if changed:
        raw = splice.replace(
            raw, {key: wire.dumps(request[key]) if key in request else None for key in changed}
        )
    if config.model_name != name:
        raw = splice.replace_scalar(raw, "model", name, wire.dumps(config.model_name))
    if clamp:
        report.changed("max_tokens_clamped", "max_tokens", f"the model writes at most {limit} tokens")
        raw = splice.replace_scalar(raw, "max_tokens", asked or 0, b"%d" % (limit or 0))
    return raw


def put_on_route(
    raw: bytes, request: dict[str, Any], route: NativeRoute, betas: str, *, counted: bool
) -> bytes:
    """The body for an upstream whose path names the model.

    `request` is `raw` parsed, `betas` the value of `anthropic-beta`; `counted`: only to count its tokens.
    """
    added = {"anthropic_version": wire.dumps(route.version)}
    if route.betas_in_body and (flags := listed(betas)):
        added["anthropic_beta"] = wire.dumps(flags)
    # First what is added: without its own members the object may be empty.
    raw = splice.add(raw, {key: value for key, value in added.items() if key not in request})
    gone = ["stream"] if route.drop_stream and "stream" in request else []
    if not counted:
        gone.append("model")
    return splice.replace(raw, dict.fromkeys(gone)) if gone else raw


def restore_model(raw: bytes, model: str) -> bytes:
    """A whole answer with the client's name for the model in its place."""
    try:
        message = wire.loads_bounded(raw)
    except wire.WireError:
        return raw
    if not isinstance(message, dict) or not isinstance(message.get("model"), str):
        return raw
    return splice.replace_scalar(raw, "model", message["model"], wire.dumps(model))


def _edit_values(raw: bytes, request: dict[str, Any], config: ModelConfig, report: Report) -> set[str]:
    """Change `request` in place; the top-level keys that are no longer as they were."""
    changed: set[str] = set()
    if any(path.startswith("tools.") for path in config.native.drop_fields) and "tools" in request:
        request["tools"] = wire.loads(wire.dumps(request["tools"]))  # the others are not ours alone
    for path in config.native.drop_fields:
        parts = path.split(".")
        if _remove(request, parts):
            report.dropped("field_dropped", path, "the model's entry drops fields its upstream refuses")
            changed.add(parts[0])
    if "thinking" in changed and "thinking" not in request:
        changed |= _drop_thinking_edits(request, report)
    changed |= _drop_tools(request, config.native.drop_tools, report)
    messages = request.get("messages")
    if not isinstance(messages, list):
        return changed
    edited = messages
    if _SEAL in raw:
        edited = _without_seals(edited, report)
    if _SEARCH in raw:
        edited = _with_own_searches_as_text(edited, report)
    if config.native.mid_system == "user_wrap":
        edited = _with_wrapped_system(edited, report)
    if edited != messages:
        request["messages"] = edited
        changed.add("messages")
    return changed


def _drop_thinking_edits(request: dict[str, Any], report: Report) -> set[str]:
    """Take out the context edits that clear thinking: without thinking they are a 400 at Anthropic."""
    management = request.get("context_management")
    edits = management.get("edits") if isinstance(management, dict) else None
    if not isinstance(edits, list):
        return set()
    kept = [edit for edit in edits if not _clears_thinking(edit)]
    if len(kept) == len(edits):
        return set()
    path = "context_management.edits"
    report.dropped("field_dropped", path, "there is no thinking to clear: the model's entry drops it")
    if kept:
        request["context_management"] = {**request["context_management"], "edits": kept}
    else:
        del request["context_management"]
    return {"context_management"}


def _clears_thinking(edit: Any) -> bool:
    return isinstance(edit, dict) and str(edit.get("type")).startswith("clear_thinking_")


def _drop_tools(request: dict[str, Any], patterns: tuple[str, ...], report: Report) -> set[str]:
    """Take the tools out that the entry drops, and with them a choice that needs what is gone."""
    tools = request.get("tools")
    if not patterns or not isinstance(tools, list):
        return set()
    kept: list[Any] = []
    gone: set[str] = set()
    for number, tool in enumerate(tools):
        name = tool.get("name") if isinstance(tool, dict) else None
        if isinstance(name, str) and drops_tool(name, patterns):
            gone.add(name)
            report.dropped("tool_dropped", f"tools.{number}", "the model's entry drops this tool")
        else:
            kept.append(tool)
    if not gone:
        return set()
    request["tools"] = kept
    if not kept:
        del request["tools"]
    choice = request.get("tool_choice")
    if isinstance(choice, dict) and (not kept or choice.get("name") in gone):
        del request["tool_choice"]
        report.dropped("tool_choice", "tool_choice", "the model's entry drops the tool it needs")
    return {"tools", "tool_choice"}


def _remove(value: Any, parts: list[str]) -> bool:
    """Remove what the path `parts` names; `*` stands for each element of a list and is never last."""
    head, *rest = parts
    if head == "*" and isinstance(value, list):
        removed = [_remove(item, rest) for item in value]  # from all of them, not only the first
        return any(removed)
    if not isinstance(value, dict) or head not in value:
        return False
    if rest:
        return _remove(value[head], rest)
    del value[head]
    return True


def _without_seals(messages: list[Any], report: Report) -> list[Any]:
    """Messages without the thinking blocks that the proxy signed for another upstream."""
    kept: list[Any] = []
    for number, message in enumerate(messages):
        content = message.get("content") if isinstance(message, dict) else None
        blocks = [b for b in content if not _is_sealed(b)] if isinstance(content, list) else content
        if blocks == content:
            kept.append(message)
            continue
        path = f"messages.{number}.content"
        report.dropped("foreign_thinking", path, "thinking of another provider has no signature of this one")
        if blocks:
            kept.append({**message, "content": blocks})
    return kept


def _is_sealed(block: Any) -> bool:
    field = _SEALED_FIELD.get(str(block.get("type"))) if isinstance(block, dict) else None
    seal = block.get(field) if field is not None else None
    return isinstance(seal, str) and seal.startswith(SIGNATURE_PREFIX)


def _with_own_searches_as_text(messages: list[Any], report: Report) -> list[Any]:
    """Messages with each search that the proxy reported as text: Anthropic's API takes back its own only."""
    turned: list[Any] = []
    for number, message in enumerate(messages):
        content = message.get("content") if isinstance(message, dict) else None
        blocks = content if isinstance(content, list) else []
        own = [block.get("tool_use_id") for block in blocks if _is_own_search(block)]
        if not own:
            turned.append(message)
            continue
        path = f"messages.{number}.content"
        reason = (
            "results of another provider's search have no encrypted content, which this upstream requires"
        )
        report.changed("search_as_text", path, reason)
        turned.append({**message, "content": [_search_as_text(block, own, path) for block in blocks]})
    return turned


def _is_own_search(block: Any) -> bool:
    """Whether these are results that the proxy reported: they have no encrypted content."""
    found = (
        block.get("content") if isinstance(block, dict) and block.get("type") == _SEARCH.decode() else None
    )
    return isinstance(found, list) and any(
        isinstance(result, dict) and not result.get("encrypted_content") for result in found
    )


def _search_as_text(block: Any, own: Collection[Any], path: str) -> Any:
    if not isinstance(block, dict):
        return block
    if block.get("type") == "server_tool_use" and block.get("id") in own:
        return _text(block, call_line(block, path))
    if block.get("type") == _SEARCH.decode() and block.get("tool_use_id") in own:
        return _text(block, result_line(block, path))
    return block


def _text(block: dict[str, Any], text: str) -> dict[str, Any]:
    mark = {"cache_control": block["cache_control"]} if "cache_control" in block else {}
    return {"type": "text", "text": text, **mark}


def _with_wrapped_system(messages: list[Any], report: Report) -> list[Any]:
    """Messages with each `role: "system"` one as a reminder in the user's turn."""
    turned: list[Any] = []
    for number, message in enumerate(messages):
        if not isinstance(message, dict) or message.get("role") != "system":
            turned.append(message)
            continue
        reason = "the upstream refuses system messages here"
        report.changed("system_wrapped", f"messages.{number}", reason, quiet=True)
        blocks = [_wrapped(block) for block in _blocks(message.get("content"))]
        last = turned[-1] if turned else None
        if isinstance(last, dict) and last.get("role") == "user":
            turned[-1] = {**last, "content": [*_blocks(last.get("content")), *blocks]}
        else:
            turned.append({"role": "user", "content": blocks})
    return turned


def _blocks(content: Any) -> list[Any]:
    return content if isinstance(content, list) else [{"type": "text", "text": content}]


def _wrapped(block: Any) -> Any:
    if not isinstance(block, dict) or not isinstance(block.get("text"), str):
        return block
    return {**block, "text": reminder(block["text"])}
