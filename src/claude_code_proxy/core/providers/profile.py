"""What a provider or a model family needs, as data (docs/conversion.md lists every key).

The converter never asks which provider it talks to; it asks the profile. Rows for known providers, each
with its evidence, are in `core.providers`; `models.yaml` can name a row and override single keys.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

_EMPTY: Mapping[str, Any] = MappingProxyType({})
_ENABLED: Mapping[str, Any] = MappingProxyType({"type": "enabled"})

Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
TextDialect = Literal["hermes", "qwen_xml", "kimi", "deepseek", "json"]
NameStart = Literal["any", "letter", "letter_or_underscore"]
SchemaDialect = Literal["plain", "openai_strict", "gemini", "kimi", "xai", "gbnf", "xgrammar"]
REASONING_SUMMARY = "reasoning.summary"
"""The one field inside another that `drop_params` can name: OpenAI refuses it to some organizations."""

EFFORTS: tuple[Effort, ...] = ("none", "minimal", "low", "medium", "high", "xhigh", "max")

EFFORT_LEVELS = EFFORTS[2:]
"""Those that the Messages API has."""
_EFFORT_BESIDE_SWITCH = ("thinking_type", "enable_thinking", "chat_template_kwargs")
"""The switches beside which an effort is sent only if the profile lists its word; the others take any."""


class SentHeader(NamedTuple):
    """A header that the upstream wants of each request that it is for."""

    name: str
    value: str
    when: Literal["always", "user_turn", "agent_turn", "image"] = "always"
    """`user_turn`: the user has the word; `agent_turn`: the client goes on by itself, with tool results;
    `image`: the conversation has one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One row. Every field has the most widely accepted behaviour as its default."""

    name: str = "custom"
    """The row's name; also what our seals carry, so that state goes back only where it came from."""

    # --- which protocol, which instructions -----------------------------------------------------------
    api: Literal["chat", "responses"] = "chat"
    """The upstream's protocol."""
    auth: Literal["bearer", "x-api-key", "api-key"] = "bearer"
    """The header that carries the key upstream (`api-key`: Azure, whose tokens, JWTs, go as `bearer`)."""
    headers: tuple[SentHeader, ...] = ()
    """Further headers; the entry's `extra_headers` count first."""
    system_role: Literal["system", "developer"] = "system"
    """Role of the leading instruction message."""
    mid_system: Literal["user_wrap", "keep", "hoist"] = "user_wrap"
    """What to do with `role: "system"` inside `messages`."""

    needs_instructions: bool = False
    """Whether Responses needs `instructions` even where there are none."""

    # --- limits ---------------------------------------------------------------------------------------
    max_tokens_field: Literal["max_tokens", "max_completion_tokens", "omit"] = "max_tokens"
    """The field for the output limit."""
    max_output: int | None = None
    """Clamp for the output limit, in tokens."""
    min_output: int | None = None
    """Least output limit the upstream accepts, in tokens; smaller ones are raised."""
    context_window: int | None = None
    """Prompt plus output, in tokens; used for error texts and token counts."""

    # --- sampling -------------------------------------------------------------------------------------
    drop_params: tuple[str, ...] = ()
    """Top-level upstream fields never to send, and `reasoning.summary` of Responses."""
    accept_params: tuple[str, ...] = ()
    """Optional fields outside the Chat Completions standard that the upstream takes (`top_k`)."""
    temperature: float | None = None
    """Sent when the request has none."""
    temperature_range: tuple[float, float] | None = (0.0, 1.0)
    """Clamp for `temperature`; None sends it as it is."""
    sampling_with_thinking: bool = True
    """Whether `temperature` and `top_p` may be sent while the model reasons."""
    stop_max: int = 4
    """Most stop sequences the upstream takes; 0 sends none. The proxy enforces the others itself."""
    stop_mode: Literal["upstream", "local"] = "upstream"
    """`local`: send none and find them all in the proxy, so that `stop_sequence` is always exact."""

    # --- thinking -------------------------------------------------------------------------------------
    thinking_switch: Literal[
        "none", "thinking_type", "enable_thinking", "chat_template_kwargs", "reasoning_effort", "openrouter"
    ] = "none"
    """How thinking is turned on and off."""
    thinking_key: str = "enable_thinking"
    """The template variable of `chat_template_kwargs` (`thinking` for DeepSeek V3.1 and Granite)."""
    thinking_on: Mapping[str, Any] = field(default_factory=lambda: _ENABLED)
    """The `thinking` object that `thinking_type` sends for "on" (GLM adds `clear_thinking`)."""
    thinking_default: bool = False
    """Whether the model thinks unless it is switched off."""
    thinking_room: int = 8192
    """Tokens added to a smaller output limit where the model thinks although the request does not ask."""
    thinking_stream_only: bool = False
    """Whether the upstream thinks only in streamed answers and refuses it in whole ones."""
    thinking: bool | None = None
    """Forces thinking on or off whatever the client asks; None follows the client."""
    effort: Effort | None = None
    """Forces the effort whatever the client asks; None follows the client."""
    effort_values: tuple[Effort, ...] = ()
    """Effort words the upstream accepts, ascending; empty sends none (`reasoning_effort` switch: any)."""
    effort_needs_thinking: bool = True
    """Whether effort is only sent while thinking is not off."""
    reasoning_replay: Literal[
        "none", "reasoning_content", "reasoning", "reasoning_details", "reasoning_opaque", "think_tags",
        "responses_item",
    ] = "none"  # fmt: skip
    """How earlier reasoning goes back."""
    reasoning_scope: Literal["all", "last_turn"] = "all"
    """Which assistant turns carry it."""
    require_reasoning_on_tool_calls: bool = False
    """An assistant message with tool calls must carry the reasoning field even if there is none."""
    reasoning_filler: str = ""
    """What stands there when there is none."""
    think_tags: Literal["auto", "off"] = "auto"
    """Split `<think>` at the start of content."""
    implicit_think: bool = False
    """The prompt template opened the tag: content starts inside reasoning."""
    always_emit_thinking: bool = False
    """Show reasoning even to a client that did not ask for it."""

    # --- content --------------------------------------------------------------------------------------
    vision: bool = True
    """Whether the model takes images."""
    images_max: int | None = None
    """The most images of a request; the oldest leave a note in their places."""
    image_max_bytes: int | None = None
    """The most bytes of an image in base64; a larger one leaves a note in its place."""
    image_max_side: int | None = None
    """The most pixels of an image's longer side; a larger one leaves a note in its place."""
    pdf: Literal["none", "file_part", "text"] = "text"
    """How a PDF document goes out (`text` needs the extra `[pdf]`, and is as `none` without it)."""
    tool_result_images: Literal["user_message", "inline", "placeholder"] = "user_message"
    """Where images of a tool result go."""
    context_editing: bool = True
    """Whether the proxy applies `context_management` (old tool results and thinking are cleared)."""
    compaction: bool = True
    """Whether the model summarizes long conversations where a request asks for that."""
    cache_control: Literal["strip", "passthrough", "openai_breakpoint"] = "strip"
    """What becomes of cache marks."""
    assistant_empty_content: Literal["null", "empty_string", "omit"] = "null"
    """`content` beside `tool_calls` when there is no text."""
    tool_result_filler: str = ""
    """Text of a tool result that has none (some servers refuse the empty string)."""
    user_after_tool: Literal["allow", "merge_into_tool", "bridge"] = "allow"
    """For servers that refuse a user message right after a tool message."""
    prefill: Literal["continue_user", "native_prefix", "native_partial", "native_last", "reject"] = (
        "continue_user"
    )
    """What to do when the last message is the assistant's."""

    # --- tools ----------------------------------------------------------------------------------------
    drop_tools: tuple[str, ...] = ()
    """Names of tools never to offer, as globs (`WebSearch`, `mcp__browser__*`)."""
    tool_id: Literal["openai", "alnum9", "raw"] = "openai"
    """Which tool ids the upstream accepts; `raw` sends back exactly what it sent."""
    signature_filler: str = ""
    """Gemini's thought signature for the first call of a turn that has none; empty sends none."""
    tool_name_start: NameStart = "any"
    """What the name of a tool may begin with; others get a prefix on the way."""
    schema_dialect: SchemaDialect = "plain"
    """JSON Schema subset for tools and answers (`gbnf`: llama.cpp, `xgrammar`: vLLM and SGLang)."""
    tool_choice_support: Literal["full", "no_named", "auto_none", "auto_only", "omit"] = "full"
    """Which forced choices the upstream takes (while thinking, see `tool_choice_thinking`)."""
    tool_choice_thinking: Literal["full", "no_named", "auto_none", "auto_only", "omit"] | None = None
    """The same while thinking is on; None: no difference."""
    parallel_param: bool = True
    """Whether `parallel_tool_calls` is accepted."""
    omit_refused_arguments: bool = True
    """Whether optional arguments that a tool has refused as empty (`Read.pages: ""`) are left out of later
    calls of it while they are empty."""
    text_tool_calls: tuple[TextDialect, ...] = ()
    """Notations in which calls may arrive as text, to be read as calls (core.openai.chat.tool_dialects)."""
    web_search: bool = False
    """Whether the upstream searches the web itself when offered `web_search` (Responses only)."""
    web_search_body: Mapping[str, Any] = field(default_factory=lambda: _EMPTY)
    """What makes a Chat upstream search the web itself: body fields; `tools` come after the request's own."""
    structured_output: Literal["json_schema", "json_object", "none"] = "json_schema"
    """Which `response_format` the upstream has; otherwise the schema goes into the instructions."""
    structured_with_tools: bool = True
    """Whether `response_format` and `tools` may go together."""

    # --- identity -------------------------------------------------------------------------------------
    send_user: Literal["none", "user", "safety_identifier"] = "none"
    """The field for the hashed user id."""
    prompt_cache_key: bool = False
    """Whether to send the hashed session id as `prompt_cache_key`."""
    service_tier: bool = False
    """Whether `service_tier` exists upstream."""

    # --- answers --------------------------------------------------------------------------------------
    stream_usage: bool = True
    """Whether `stream_options.include_usage` is accepted."""
    start_usage: Literal["estimate", "zero"] = "estimate"
    """What `message_start` says about input tokens."""
    merge_choices: bool = False
    """The upstream spreads one answer over several choices (GitHub Copilot)."""
    streams_only: bool = False
    """The upstream answers with streams only; whole answers are put together here."""
    lenient_eof: bool = False
    """The upstream ends streams without a finish reason and without `[DONE]`; complete content counts."""
    cache_written_outside_prompt: bool = False
    """`prompt_tokens` does not include the tokens written to the cache."""

    # --- as configured --------------------------------------------------------------------------------
    extra_body: Mapping[str, Any] = field(default_factory=lambda: _EMPTY)
    """Merged into the upstream body last, over everything else."""
    evidence: str = ""
    """Where the row's facts come from and how sure they are."""

    @property
    def searches_web(self) -> bool:
        """Whether the upstream has a web search of its own."""
        return self.web_search if self.api == "responses" else bool(self.web_search_body)

    @property
    def effort_levels(self) -> tuple[Effort, ...]:
        """The levels that arrive at the upstream as they are asked for."""
        if self.effort is not None or self.thinking_switch == "none":
            return ()
        if not self.effort_values and self.thinking_switch not in _EFFORT_BESIDE_SWITCH:
            return EFFORT_LEVELS
        return self.effort_values


@dataclass(frozen=True, slots=True, kw_only=True)
class NativeRoute:
    """How a host serves Messages where the model is named by the path and not by the body."""

    base: str
    """The end of the path of an `api_base` for which this holds."""
    whole: str
    """What follows the base for a whole answer; `{model}` stands for the model."""
    streamed: str
    """The same for a streamed answer."""
    counted: str = ""
    """The same for a count of tokens, whose body names the model; "": there is none."""
    version: str
    """`anthropic_version` of the body, where the client has not set it."""
    drop_stream: bool = False
    """Whether the body has no `stream`: the path says it."""
    betas_in_body: bool = False
    """Whether the flags of `anthropic-beta` go as the list `anthropic_beta` in the body."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NativeProfile:
    """What an upstream that speaks the Anthropic format refuses; the defaults change nothing."""

    name: str = "custom"
    """The row's name."""
    auth: Literal["as_sent", "bearer", "x-api-key", "x-api-key_or_token"] = "as_sent"
    """The header form of the key: as the client sent it (both, if it sent both), or always this one.

    `x-api-key_or_token`: a token, which is a JWT, goes as `bearer`.
    """
    headers: tuple[SentHeader, ...] = ()
    """As in `Profile`."""
    drop_betas: tuple[str, ...] = ()
    """Flags taken out of `anthropic-beta`, as globs (`*`: the whole header)."""
    drop_fields: tuple[str, ...] = ()
    """Paths taken out of the request body (`output_config.effort`; a beta and its field go together)."""
    drop_tools: tuple[str, ...] = ()
    """Names of tools never to offer, as globs (`WebSearch`, `mcp__browser__*`)."""
    mid_system: Literal["keep", "user_wrap"] = "keep"
    """What to do with `role: "system"` inside `messages`."""
    route: NativeRoute | None = None
    """Where requests go, if not to `/v1/messages`."""
    other_host: bool = False
    """Whether Claude is served by another than Anthropic: refusals in the host's own shape are told in
    Anthropic's, and betas and fields that it does not take are left out."""
    evidence: str = ""
    """Where the row's facts come from and how sure they are."""


def clamp_effort(effort: Effort, accepted: Sequence[Effort]) -> Effort:
    """`effort` on the scale `accepted` (ascending, not empty): itself, the next lower, or the lowest.

    A request to think is never lowered to `none`: that would turn thinking off.
    """
    if effort in accepted:
        return effort
    rank = EFFORTS.index(effort)
    thinking: Sequence[Effort] = [word for word in accepted if word != "none"] or accepted
    lower = [word for word in thinking if EFFORTS.index(word) < rank]
    return lower[-1] if lower else thinking[0]
