"""What `ccproxy` starts with: the status line, which runs often, before all that the rest imports."""

from __future__ import annotations

import sys


def run() -> int:
    """Run this process's command line."""
    if sys.argv[1:2] == ["statusline"]:
        from claude_code_proxy.cli.ccproxy import statusline

        return statusline.main(sys.argv[2:])
    from claude_code_proxy.cli.ccproxy import launcher

    return launcher.run()
