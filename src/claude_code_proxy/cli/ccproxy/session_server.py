"""The private proxy's process, as `private_proxy` starts it: `python -m ...ccproxy.session_server FD PID`.

FD is the listening socket, PID the process to end with. Standard input has a JSON job: `entries` like those
of models.yaml and the `origin` to name in a complaint, or the path of a `models_file`; the `keys` and the
`token` that stands for them; and the `log` that its output goes to, "" for one that is not ours.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

from claude_code_proxy.cli.ccproxy.memory_guard import refuse_readers, write_no_cores
from claude_code_proxy.cli.ccproxy.session_holder import hold
from claude_code_proxy.credentials.source import CredentialSource


def main(descriptor: str, client_pid: str) -> None:
    """Serve until the client ends. Raises `ConfigError` for a job that cannot be served."""
    refuse_readers()  # before the keys are read, and these before all that takes time
    write_no_cores()
    job = json.load(sys.stdin)
    if not hold(int(client_pid)):
        return
    # A server's process from here on. What it imports is no matter of the holder's, which stays small.
    from claude_code_proxy.cli.ccproxy.private_proxy import url_of
    from claude_code_proxy.cli.ccproxy.session_logs import rotate
    from claude_code_proxy.config.cc_proxy_json.session_models import table_of
    from claude_code_proxy.config.models_yaml.models_file import FixedModels
    from claude_code_proxy.config.settings import ServerSettings
    from claude_code_proxy.server.caller.session_keys import SessionKeys
    from claude_code_proxy.server.session import serve_session

    listener = socket.socket(fileno=int(descriptor))
    path = job.get("models_file")
    settings = ServerSettings.load({"models": path, "log_level": job["log_level"]}, os.environ)
    models = None if path else FixedModels(table_of(job["entries"], Path(job["origin"])))
    keys = SessionKeys(job["token"], {row["api_base"]: _source(row) for row in job["keys"]})
    log = Path(job["log"]) if job["log"] else None
    if log:
        print(f"the page of this session: {url_of(listener)}/ui", flush=True)
    serve_session(settings, models, keys, listener, int(client_pid), lambda: rotate(log) if log else None)


def _source(row: dict[str, Any]) -> CredentialSource:
    from claude_code_proxy.credentials.factory import make_fetcher
    from claude_code_proxy.credentials.renewing import Renewing
    from claude_code_proxy.credentials.source import Credential

    return Renewing(make_fetcher(row["kind"], row["value"], os.environ), Credential(**row["first"]))


if __name__ == "__main__":
    main(*sys.argv[1:])
