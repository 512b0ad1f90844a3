"""One model as the server uses it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from claude_code_proxy.config.urls import Endpoints, Format, endpoints, is_anthropic, routed
from claude_code_proxy.core import providers
from claude_code_proxy.core.providers.profile import EFFORT_LEVELS, Effort, NativeProfile, Profile
from claude_code_proxy.core.request.request_kind import Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """One entry of models.yaml, with everything looked up that follows from it.

    Times are in seconds; None means the server's own setting. There is no field for a key: keys come with
    each request.
    """

    model_id: str
    """The name by which clients ask for the model; a wildcard entry ends in `*`."""
    model_name: str
    """The upstream's name for it."""
    api_base: str
    """The upstream as written in the file."""
    format: Format = "openai"
    """The upstream's protocol: converted (`openai`) or passed through (`anthropic`)."""
    chat_url: str = ""
    """Chat Completions or Responses, as the profile's `api` says; empty for `format: anthropic`."""
    messages_url: str = ""
    """Anthropic Messages; empty for `format: openai`."""
    count_tokens_url: str = ""
    """Anthropic token counting; empty for `format: openai`."""
    models_url: str = ""
    """The upstream's list of models."""
    stream_url: str = ""
    """Anthropic Messages with a streamed answer, where that is not `messages_url`."""
    can_stream: bool = True
    """False: ask the upstream for whole answers only and stream them from here."""
    max_input_tokens: int | None = None
    """The longest prompt, in tokens."""
    extra_headers: Mapping[str, str] = field(default_factory=dict)
    """Sent with each upstream request; never a credential."""
    profile: Profile
    """What the upstream needs in conversion, this entry's own keys applied."""
    native: NativeProfile
    """What the upstream refuses in passthrough, this entry's own keys applied."""
    connect_timeout: float | None = None
    first_byte_timeout: float | None = None
    idle_timeout: float | None = None
    hold: float | None = None
    restore_model_name: bool = True
    """Put the client's model name back into answers of a passthrough upstream that knows another one."""
    fallback: tuple[str, ...] = ()
    """Ids of models to move on to before the first byte, in this order, while this one cannot answer."""
    routes: tuple[Rule, ...] = ()
    """Which requests for this model go to another one; the first rule that fits counts."""
    safety_model: str | None = None
    """The id of the model that judges tool calls in auto mode; None: itself; "": the client is to judge."""
    profile_name: str | None = None
    """The profile that the entry names; None: found by `api_base` and model."""
    overrides: Mapping[str, Any] = field(default_factory=dict)
    """The `Profile` fields that the entry sets."""

    @property
    def max_tokens(self) -> int | None:
        """The output limit, in tokens."""
        return self.profile.max_output

    @property
    def context(self) -> int | None:
        """Prompt plus output, in tokens; what `max_input_tokens` says where only that is known."""
        return self.profile.context_window or self.max_input_tokens

    @property
    def is_anthropic(self) -> bool:
        """Whether the upstream is Anthropic itself."""
        return is_anthropic(urlsplit(self.api_base))

    @property
    def effort_levels(self) -> tuple[Effort, ...]:
        """The levels of effort that a request to this entry may ask for and get."""
        if self.format == "openai":
            return self.profile.effort_levels
        refused = self.native.drop_fields
        return () if "output_config.effort" in refused or "output_config" in refused else EFFORT_LEVELS

    @property
    def is_wildcard(self) -> bool:
        """Whether the entry stands for many models."""
        return self.model_id.endswith("*")

    def concrete(self, name: str) -> ModelConfig:
        """The configuration of the one model `name` that this wildcard entry covers.

        A `*` in `model_name` stands for the same text as the one in `model_id`; a `model_name` without it
        sends every covered name to that one model.
        """
        covered = name[len(self.model_id) - 1 :]
        upstream = self.model_name.replace("*", covered)
        profile = resolve_profile(self.api_base, upstream, self.profile_name, self.overrides)
        urls = urls_of(self.api_base, self.format, upstream, profile, self.native)
        return replace(self, model_id=name, model_name=upstream, profile=profile, **urls._asdict())


def urls_of(
    api_base: str,
    format: Format,  # noqa: A002 - the key's name in models.yaml
    model: str,
    profile: Profile,
    native: NativeProfile,
) -> Endpoints:
    """The URLs of an upstream model."""
    parts = urlsplit(api_base)
    if format == "anthropic" and native.route is not None:
        return routed(parts, native.route, model)
    return endpoints(parts, format, profile.api)


_OTHER_API: dict[str, dict[str, Any]] = {
    "chat": {"reasoning_replay": "none", "tool_result_images": "user_message"},
    "responses": {"reasoning_replay": "responses_item", "tool_result_images": "inline"},
}
"""What goes with a protocol that is not the row's own: where reasoning and images have their places."""


def resolve_profile(api_base: str, model: str, name: str | None, overrides: Mapping[str, Any]) -> Profile:
    """The profile row for an upstream model with an entry's own keys over it.

    `name` is a profile's name or None; raises `UnknownProfile` for a wrong one.
    """
    row = providers.profile_for(api_base=api_base, model=model, name=name)
    api = overrides.get("api", row.api)
    if api != row.api:
        row = replace(row, **_OTHER_API[api])
    profile = replace(row, **overrides)
    if "extra_body" not in overrides:
        return profile
    return replace(profile, extra_body=_laid_over(row.extra_body, overrides["extra_body"]))


def _laid_over(row: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """The row's fields with an entry's own over them; null takes one of the row's out."""
    return {key: value for key, value in {**row, **own}.items() if value is not None or key not in row}
