"""The private proxy's process, as `private_proxy` starts it: `python -m ...ccproxy.session_server FD PID`.

FD is the listening socket, PID the process to end with. Standard input has a JSON job: `entries` like those
of models.yaml, the `origin` to name in a complaint and the one address that an Authorization key may reach
(`key_is_for`), or the path of a `models_file`; and the `log` that its output goes to, "" for one that is not
ours. No key is in it: keys come with each request.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from pathlib import Path

from claude_code_proxy.cli.ccproxy.session_logs import rotate
from claude_code_proxy.config.cc_proxy_json.session_models import table_of
from claude_code_proxy.config.models_yaml.models_file import FixedModels
from claude_code_proxy.config.settings import ServerSettings
from claude_code_proxy.server.session import serve_session


def main(descriptor: str, client_pid: str) -> None:
    """Serve until the client ends. Raises `ConfigError` for a job that cannot be served."""
    listener = socket.socket(fileno=int(descriptor))
    job = json.load(sys.stdin)
    path = job.get("models_file")
    settings = ServerSettings.load({"models": path, "log_level": job["log_level"]}, os.environ)
    models = None if path else FixedModels(table_of(job["entries"], Path(job["origin"])), job["key_is_for"])
    log = Path(job["log"]) if job["log"] else None
    serve_session(settings, models, listener, int(client_pid), lambda: rotate(log) if log else None)


if __name__ == "__main__":
    main(*sys.argv[1:])
