"""Settings for all tests."""

from __future__ import annotations

import os

from hypothesis import settings

# No deadline: machines are noisy, and a property is no benchmark. CI tries the same examples each time, so that
# it says something about the change; everyone else tries new ones.
settings.register_profile("default", deadline=None, max_examples=60, derandomize=bool(os.environ.get("CI")))
settings.load_profile("default")
