"""What each known provider and model family needs: rows with their evidence, and how to find one.

A row is picked by name, by the host of `api_base`, or, at an address nobody knows, by a hosted model's id;
then the overrides of the model's family are laid over it. All of it is data: no code here or elsewhere
asks which provider it talks to.
"""

from claude_code_proxy.core.providers.documentation import notes, table
from claude_code_proxy.core.providers.model_limits import known_limits
from claude_code_proxy.core.providers.native import native_for
from claude_code_proxy.core.providers.presets import PRESETS, Preset
from claude_code_proxy.core.providers.registry import (
    PROFILE_NAMES,
    UnknownProfile,
    profile_for,
    profile_named,
)

__all__ = [
    "PRESETS",
    "PROFILE_NAMES",
    "Preset",
    "UnknownProfile",
    "known_limits",
    "native_for",
    "notes",
    "profile_for",
    "profile_named",
    "table",
]
