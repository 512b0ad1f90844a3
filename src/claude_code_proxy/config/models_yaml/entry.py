"""One entry of models.yaml: every key checked, every problem said with its line."""

from __future__ import annotations

import re
import typing
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from claude_code_proxy.config import urls
from claude_code_proxy.config.field_reader import FieldReader
from claude_code_proxy.config.models_yaml.model import ModelConfig, resolve_profile, urls_of
from claude_code_proxy.config.problems import Problem, did_you_mean
from claude_code_proxy.config.route_rules import read_rules, read_safety_model
from claude_code_proxy.config.sizes import parse_size
from claude_code_proxy.config.value_kinds import BadValue, convert, shown
from claude_code_proxy.core import providers
from claude_code_proxy.core.providers.profile import Effort, NativeProfile, Profile


@dataclass(frozen=True, slots=True)
class Section:
    """One mapping of the file: its values, and the line (from 1) of the mapping and of each key.

    A key of a mapping inside is `outer.inner` in `lines`.
    """

    values: dict[str, Any]
    lines: dict[str, int]
    line: int

    def line_of(self, key: str) -> int:
        """The line of a key, or of the mapping when it has no such key."""
        return self.lines.get(key, self.line)


PROFILE_KEYS: dict[str, Any] = {
    name: kind
    for name, kind in typing.get_type_hints(Profile, localns={"Mapping": Mapping}).items()
    if name not in ("name", "evidence", "headers")
}
"""The `Profile` fields that an entry may set, with their types."""
NATIVE_KEYS: dict[str, Any] = {
    name: kind
    for name, kind in typing.get_type_hints(NativeProfile).items()
    if name not in ("name", "evidence", "route", "other_host", "headers")
}
"""The `NativeProfile` fields that an entry may set, with their types."""
SYNONYMS = {
    "max_tokens": "max_output",
    "context": "context_window",
    "reasoning_effort": "effort",
    "enable_thinking": "thinking",
}
"""Entry keys that set a `Profile` field of another name."""
OTHER_KEYS = (
    "model_id", "model_name", "api_base", "format", "direct", "profile", "can_stream", "max_input_tokens",
    "extra_headers", "restore_model_name", "fallback", "routes", "safety_model", "connect_timeout",
    "first_byte_timeout", "idle_timeout", "hold",
)  # fmt: skip
KNOWN_KEYS = frozenset((*OTHER_KEYS, *SYNONYMS, *PROFILE_KEYS, *NATIVE_KEYS))

_SIZES = frozenset(("max_output", "context_window"))  # also the only ones that matter in passthrough
_IGNORED = re.compile(r"api_key_name|.*(cost|price|pricing).*")
_SECRET = re.compile(
    r"(x[-_])?api[-_]?keys?|(auth|access|bearer|api|secret)[-_]?(key|token)s?|key|token|secret|password"
)
_SECRET_HEADERS = frozenset(
    ("authorization", "proxy-authorization", "x-api-key", "api-key", "x-goog-api-key", "cookie")
)
_OWN_HEADERS = frozenset(
    ("host", "content-length", "content-type", "transfer-encoding", "connection", "accept-encoding")
)
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")
_MODEL_ID = re.compile(r"[^\s*\x00-\x1f]*\*?")
_NO_KEYS = "keys come from the caller with each request; remove the line"


def read_entry(
    path: Path, section: Section, problems: list[Problem], warnings: list[Problem]
) -> ModelConfig | None:
    """The model of one entry; None when `problems` got something that makes it unusable."""
    before = len(problems)
    reader = _Reader(path, section, problems, warnings)
    reader.check_keys()
    model_id = reader.model_id()
    model_name = model_id if (named := reader.text("model_name")) is None else named
    if "*" in model_name and (not model_id.endswith("*") or model_name.index("*") != len(model_name) - 1):
        reader.problem("model_name", 'a "*" stands at the end, and only when model_id ends in one')
    api_base, parts = reader.api_base()
    format_ = reader.format(parts)
    profile_name, overrides = reader.profile(format_)
    native = reader.native(format_, providers.native_for(api_base, profile_name))
    max_input_tokens = reader.size("max_input_tokens")
    extra_headers = reader.headers()
    can_stream = reader.take("can_stream", bool, default=True)
    restore_model_name = reader.take("restore_model_name", bool, default=True)
    fallback = reader.fallback()
    routes = read_rules(reader)
    safety_model = read_safety_model(reader)
    connect_timeout = reader.seconds("connect_timeout")
    first_byte_timeout = reader.seconds("first_byte_timeout")
    idle_timeout = reader.seconds("idle_timeout")
    hold = reader.seconds("hold", zero=True)
    if len(problems) > before:
        return None
    if format_ == "openai" and urls.names_responses(parts):
        overrides.setdefault("api", "responses")
    profile = resolve_profile(api_base, model_name, profile_name, overrides)
    return ModelConfig(
        model_id=model_id,
        model_name=model_name,
        api_base=api_base,
        format=format_,
        **urls_of(api_base, format_, model_name, profile, native)._asdict(),
        can_stream=can_stream,
        max_input_tokens=max_input_tokens,
        extra_headers=extra_headers,
        profile=profile,
        native=native,
        connect_timeout=connect_timeout,
        first_byte_timeout=first_byte_timeout,
        idle_timeout=idle_timeout,
        hold=hold,
        restore_model_name=restore_model_name,
        fallback=fallback,
        routes=routes,
        safety_model=safety_model,
        profile_name=profile_name,
        overrides=overrides,
    )


class _Reader(FieldReader):
    """The values of one entry."""

    def __init__(
        self, path: Path, section: Section, problems: list[Problem], warnings: list[Problem]
    ) -> None:
        def note(key: str | None, what: str, hint: str) -> None:
            problems.append(Problem(path, section.line_of(key or ""), what, hint))

        super().__init__(section.values, note)
        self._path = path
        self._section = section
        self._problems = problems
        self._warnings = warnings

    def warn(self, key: str, what: str, hint: str = "") -> None:
        self._warnings.append(Problem(self._path, self._section.line_of(key), f"warning: {what}", hint))

    def check_keys(self) -> None:
        for key in self.values:
            if key in KNOWN_KEYS:
                continue
            if _IGNORED.fullmatch(key):
                self.warn(
                    key,
                    f"{key} is ignored",
                    "keys are never stored and prices never computed; remove the line",
                )
            elif _SECRET.fullmatch(key.lower()):
                self.problem(key, f'keys cannot be configured here ("{key}")', _NO_KEYS)
            else:
                self.problem(key, f'unknown key "{key}"', did_you_mean(key, KNOWN_KEYS))

    def model_id(self) -> str:
        text = self.required_text("model_id", '"model_id: ..."')
        if not _MODEL_ID.fullmatch(text):
            self.problem(
                "model_id", f'model_id {shown(text)} has white space or a "*" that is not at its end'
            )
        return text

    def api_base(self) -> tuple[str, SplitResult]:
        """The base and its parts; both empty when it cannot be used."""
        before = len(self._problems)
        text = self.required_text("api_base", '"api_base: ..."')
        if len(self._problems) > before:
            return "", urlsplit("")
        try:
            parts = urls.check(text)
        except urls.BadUrl as error:
            self.problem("api_base", str(error), error.hint)
            return "", urlsplit("")
        if urls.is_exposed(parts):
            self.warn("api_base", f"plain http sends keys in the clear to {parts.hostname}", "use https://")
        return text, parts

    def format(self, parts: SplitResult) -> urls.Format:
        own: urls.Format = "anthropic" if urls.is_anthropic(parts) else "openai"
        if self.has("direct"):
            direct: urls.Format = "anthropic" if self.take("direct", bool, default=False) else "openai"
            if self.take("format", urls.Format, default=direct) != direct:
                self.problem(
                    "direct",
                    f"direct means format: {direct}, but format says something else",
                    "direct is the older key: remove it",
                )
            return direct
        if not self.has("format") and parts.path.rstrip("/").endswith(("/anthropic", "/messages")):
            what = f"{parts.hostname}{parts.path} looks like an endpoint in the Anthropic format"
            self.warn("api_base", what, "add format: anthropic, or format: openai if it is not")
        return self.take("format", urls.Format, default=own)

    def profile(self, format_: urls.Format) -> tuple[str | None, dict[str, Any]]:
        """The profile's name, if the entry gives one, and the fields that the entry sets."""
        named: Any = self.take("profile", str | dict[str, Any], default=None)
        keys: dict[str, object] = {}
        if isinstance(named, dict):
            keys = dict(named)
            named = keys.pop("name", None)
        if named is not None and named not in providers.PROFILE_NAMES:
            self.problem(
                "profile",
                f"unknown profile {shown(named)}",
                did_you_mean(str(named), providers.PROFILE_NAMES),
            )
            named = None
        overrides: dict[str, Any] = {}
        for key, value in keys.items():
            if key in PROFILE_KEYS:
                self._override(overrides, f"profile.{key}", key, value)
            else:
                self.problem(
                    f"profile.{key}", f'profile: unknown key "{key}"', did_you_mean(key, PROFILE_KEYS)
                )
        for key, value in self.values.items():
            field = SYNONYMS.get(key, key)
            if field not in PROFILE_KEYS or (format_ == "anthropic" and field in NATIVE_KEYS):
                continue
            if key != field and self.has(field):
                self.problem(key, f"{key} and {field} mean the same", "remove one of them")
            elif format_ == "anthropic" and field not in _SIZES:
                self.warn(key, f"{key} has no effect with format: anthropic: requests pass through unchanged")
            elif key == "reasoning_effort":
                self._reasoning_effort(overrides)
            else:
                self._override(overrides, key, field, value)
        return named, overrides

    def native(self, format_: urls.Format, row: NativeProfile) -> NativeProfile:
        changes: dict[str, Any] = {}
        for key, kind in NATIVE_KEYS.items():
            if not self.has(key):
                continue
            if format_ == "anthropic":
                changes[key] = self.take(key, kind, default=getattr(row, key))
            elif key not in PROFILE_KEYS:
                self.problem(key, f"{key} is only for format: anthropic", "remove the line")
        if format_ == "openai" and self.has("restore_model_name"):
            self.problem(
                "restore_model_name", "restore_model_name is only for format: anthropic", "remove the line"
            )
        return replace(row, **changes)

    def fallback(self) -> tuple[str, ...]:
        named = self.texts("fallback")
        if any("*" in name or not name for name in named):
            self.problem("fallback", "fallback must name models", 'write fallback: ["MODEL_ID"]')
        return named

    def headers(self) -> dict[str, str]:
        headers: dict[str, Any] = self.take("extra_headers", dict[str, Any], default={})
        for name, value in headers.items():
            key = f"extra_headers.{name}"
            if name.lower() in _SECRET_HEADERS:
                self.problem(key, f'extra_headers: keys cannot be configured here ("{name}")', _NO_KEYS)
            elif name.lower() in _OWN_HEADERS:
                self.problem(key, f'extra_headers: the proxy sets "{name}" itself', "remove it")
            elif not isinstance(value, str):
                self.problem(key, f"{key} must be text, not {shown(value)}", "put it in quotes")
            elif not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
                self.problem(key, f'extra_headers: "{name}" is not a valid header')
        return headers

    def _reasoning_effort(self, overrides: dict[str, Any]) -> None:
        """The lowest words turn thinking off, as earlier versions of this file meant them."""
        effort = self.take("reasoning_effort", Effort, default="high")
        if effort not in ("none", "minimal"):
            overrides["effort"] = effort
        elif self.values.get("enable_thinking", self.values.get("thinking")) is True:
            self.problem("reasoning_effort", f"{effort} turns thinking off, enable_thinking on", "remove one")
        else:
            overrides["thinking"] = False

    def _override(self, overrides: dict[str, Any], key: str, field: str, value: object) -> None:
        """Set one `Profile` field; `key` is where the file says it."""
        try:
            overrides[field] = parse_size(value) if field in _SIZES else convert(value, PROFILE_KEYS[field])
        except BadValue as error:
            self.problem(key, f"{key} {error}", error.hint)
        except ValueError as error:
            self.problem(key, f"{key} {error}, not {shown(value)}")
