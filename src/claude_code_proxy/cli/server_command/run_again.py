"""`claude-code-proxy replay` and `capture to-case`: captured exchanges, run again."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from pathlib import Path

from claude_code_proxy.cli import output
from claude_code_proxy.config.problems import ConfigError
from claude_code_proxy.config.settings import ServerSettings
from claude_code_proxy.server.capture.case_file import case_of
from claude_code_proxy.server.capture.differences import differences
from claude_code_proxy.server.capture.replay import read_capture, replay_live, replay_offline

KEY_VARIABLES = ("ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY")


def replay(
    settings: ServerSettings,
    file: str,
    *,
    model: str | None,
    against: str | None,
    key_variable: str | None,
    as_json: bool,
) -> int:
    """Run the capture in `file` again and print what differs; 1 where something does.

    Without `model` and `against` nobody is asked. Raises `ConfigError`.
    """
    capture = read_capture(Path(file).expanduser())
    logging.getLogger("claude_code_proxy").setLevel(logging.ERROR)
    if model is None and against is None:
        made = asyncio.run(replay_offline(capture, settings, redact=capture.get("redacted", False)))
    else:
        key = _key(key_variable)
        made = asyncio.run(replay_live(capture, settings, model=model, against=against, key=key))
    lines = differences(capture, made)
    if as_json:
        output.document({"version": 1, "differences": lines, "now": made})
    else:
        print("\n".join(lines) if lines else "nothing differs")
    return output.FAILURE if lines else output.OK


def to_case(settings: ServerSettings, file: str, to: str | None) -> int:
    """Write the capture in `file` as a case to `to`, or to standard output. Raises `ConfigError`."""
    path = Path(file).expanduser()
    capture = read_capture(path)
    logging.getLogger("claude_code_proxy").setLevel(logging.ERROR)
    text = json.dumps(asyncio.run(case_of(capture, settings)), indent=1, ensure_ascii=False) + "\n"
    if to is None:
        print(text, end="")
        return output.OK
    try:
        Path(to).expanduser().write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{to}: cannot be written: {error.strerror}") from error
    return output.OK


def _key(variable: str | None) -> str:
    for name in (variable,) if variable else KEY_VARIABLES:
        if key := os.environ.get(name, ""):
            return key
    names = variable or " or ".join(KEY_VARIABLES)
    raise ConfigError(f"replay asks a provider: put its key into the environment variable {names}")
