"""Where the tests' data are."""

from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
CASES = REPOSITORY / "tests" / "cases"
FIXTURES = REPOSITORY / "tests" / "fixtures"
"""Requests in the shape of the real Claude Code's, with filler text."""
