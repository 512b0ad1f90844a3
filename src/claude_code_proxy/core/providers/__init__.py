"""What each known provider and model family needs, as data with its evidence, and how to find it."""

from .documentation import notes, table
from .registry import (
    CALLED,
    PRESETS,
    PROFILE_NAMES,
    PROVIDERS,
    UnknownProfile,
    known_limits,
    lacks_v1,
    native_for,
    preset_called,
    profile_for,
    profile_named,
)
from .types import Provider

__all__ = [
    "CALLED", "PRESETS", "PROFILE_NAMES", "PROVIDERS", "Provider", "UnknownProfile", "known_limits",
    "lacks_v1", "native_for", "notes", "preset_called", "profile_for", "profile_named", "table",
]  # fmt: skip
