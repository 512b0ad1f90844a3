"""The versions of Claude Code that the tests drive."""

from __future__ import annotations

import os

NEWEST = os.environ.get("CLAUDE_CODE_VERSION", "2.1.332")
"""Every test runs with it. `make client VERSION=...` sets another one."""
OLDER = ("2.1.330", "2.1.197")
"""What users may still have: these run the tests of what the client and the proxy agree on."""
OLDEST = OLDER[-1]
ALL = (NEWEST, *(version for version in OLDER if version != NEWEST))
TYPESCRIPT_SDK = "1.12.0"
