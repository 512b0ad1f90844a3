"""What each known provider and model family needs: `Profile` rows with their evidence, and how to find one.

A row is picked by name, by the host of `api_base`, or, on a host nobody knows, by a hosted model's id;
then the overrides of the model's family are laid over it. All of it is data: no code here or elsewhere
asks which provider it talks to.
"""

from .lookup import PROFILE_NAMES, UnknownProfile, profile_for, profile_named
from .native import native_for

__all__ = ["PROFILE_NAMES", "UnknownProfile", "native_for", "profile_for", "profile_named"]
