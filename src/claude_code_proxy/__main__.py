"""`python -m claude_code_proxy` is the command `claude-code-proxy`."""

import sys

from claude_code_proxy.cli.server_command.main import run

sys.exit(run())
