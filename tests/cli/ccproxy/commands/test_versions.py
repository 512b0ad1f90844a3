"""`ccproxy --version` says ours and Claude's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from claude_code_proxy import __version__

if TYPE_CHECKING:
    from tests.cli.desk import Desk


@pytest.mark.parametrize("argument", ["version", "--version", "-v"])
def test_both_versions(desk: Desk, argument: str) -> None:
    (desk.bin / "claude").write_text("#!/bin/sh\necho '2.1.332 (Claude Code)'\n", encoding="utf-8")
    code, out, err = desk.run(argument)
    assert (code, err) == (0, "")
    assert out == f"ccproxy {__version__}\nclaude 2.1.332 (Claude Code) at {desk.bin}/claude\n"
    (desk.bin / "claude").unlink()
    code, out, err = desk.run(argument)
    assert (code, out, "not installed" in err) == (0, f"ccproxy {__version__}\n", True)
