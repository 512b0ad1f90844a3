"""`python -m claude_code_proxy` is the command `claude-code-proxy`."""

import sys

from claude_code_proxy.cli.main import run

sys.exit(run())
