"""Settings for all tests."""

from __future__ import annotations

from hypothesis import settings

# No deadline: machines are noisy, and a property is no benchmark.
settings.register_profile("default", deadline=None, max_examples=60)
settings.load_profile("default")
