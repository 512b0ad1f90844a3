"""What is known of one provider: each file in `hosted` and `local_servers` holds one.

Marks in `evidence`: "docs" is the vendor's own text, "restated" a third party's restatement of it,
"recorded" a real exchange, "reports" several independent implementations or issues, "one report" a single
one, "assumed" a cautious choice without a source. State: November 2026; no entry was tried with a live key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from claude_code_proxy.core.providers.profile import NativeProfile, Profile


class Family(NamedTuple):
    """Models whose lower-case id fits the glob `pattern` have `overrides` on top of the profile.

    Every family that fits is laid over the profile, in order, so a later one refines an earlier one. `rows`
    names the profiles it belongs to; empty in a provider's own file, where it is that provider's.
    """

    pattern: str
    overrides: Mapping[str, Any]
    evidence: str
    rows: tuple[str, ...] = ()


class Limit(NamedTuple):
    """`context` is prompt plus output, `output` the most tokens of one answer; None where nobody says so.

    The first glob that fits the lower-case id counts, so the narrower one comes first. `rows` as in `Family`.
    """

    pattern: str
    context: int | None
    output: int | None
    evidence: str
    rows: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """One provider: where it is, what it needs, what is known of its models."""

    name: str
    """Of the profile, in models.yaml and on the command line."""
    title: str
    """For people."""
    aliases: tuple[str, ...] = ()
    """Other names by which people look for it, lower case."""
    start: str = ""
    """How people start it, where they run it themselves."""
    loaded: str = ""
    """The path at which it tells the windows that its models were loaded with."""
    shown: str = ""
    """The path at which it tells about a single model, loaded or not, to a POST of its name."""
    api_base: str = ""
    """Where it speaks OpenAI's format; parts in capitals are the user's own. "": it does not."""
    anthropic_base: str | None = None
    """Where it speaks Anthropic's format."""
    key_variables: tuple[str, ...] = ()
    """The environment variables in which people keep the key, the usual one first."""
    key_source: str = ""
    """What an `auth_key` says where none of these variables is set."""
    login: str = ""
    """The login that stands for a key: what `auth_key: "login:NAME"` names."""
    models: tuple[str, ...] = ()
    """Current ids, the best for coding first; empty where they depend on what is installed."""
    docs: str = ""
    """The vendor's documentation."""
    note: str = ""
    """What a user should know."""

    hosts: tuple[str, ...] = ()
    """Its host names, or the ends of them after a dot; one with `*` is compared as a whole."""
    bases_without_v1: tuple[str, ...] = ()
    """Paths that its documentation prints as bases, although `/v1` follows them in every URL."""
    is_versionless: bool = False
    """Whether no `/v1` stands before the paths of OpenAI's format."""
    port: int | None = None
    """A default port that only this server uses; counts on private hosts."""
    model_prefixes: tuple[str, ...] = ()
    """How the ids of its own hosted models start: they find the profile at an unknown public address."""

    profile: Profile | None = None
    """What it needs where it speaks OpenAI's format."""
    native: NativeProfile | None = None
    """What it needs where it speaks Anthropic's format."""
    families: tuple[Family, ...] = ()
    """What differs between its models; what follows a model wherever it is served is in `model_families`."""
    limits: tuple[Limit, ...] = ()
    """Context windows and output limits of its models, in tokens."""
