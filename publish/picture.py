"""Record a first session and draw it: `make picture`, or `python -m publish.picture docs/session.svg`.

`ccproxy` and Claude Code are real, the model is not: the provider's address leads to the demo provider, with
answers that are written below, in a network of its own. It needs what `tests/e2e` needs.
"""

from __future__ import annotations

import codecs
import fcntl
import json
import os
import pty
import re
import select
import struct
import subprocess
import sys
import tempfile
import termios
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import msgspec
import pyte
import trustme

from claude_code_proxy.core import wire
from claude_code_proxy.demo.replies import Reply
from publish.screen_svg import Frame, Style, render
from tests import paths
from tests.e2e import npm, versions
from tests.e2e.namespace import Namespace, private_network
from tests.e2e.processes import process, wait_until
from tests.replies import stream_reply

COLUMNS, ROWS = 96, 32
HOST = "api.deepseek.com"
PROVIDER_PORT, PROXY_PORT = 9000, 9001
QUESTION = "How long are the Python files here?"
ANSWER = "Two files: **app.py** has 5 lines, **test_app.py** has 3. Nothing that needs splitting."
_PAUSE = 1.6  # seconds that a screen stands before the next key
_APART = 0.15  # seconds between frames
_TYPING = 0.07
_NOT_TEXT = re.compile(r"\x1b\[[<=>][\d;]*[a-z]")  # modes of the keyboard, which pyte would print
_REVERSED = {"default": "black"}
_EASIER = str.maketrans("⎿⏵⏸", "└▸‖")  # what some fonts lack


def _replies() -> list[Reply]:
    """What the model says: a thought and a command, then a sentence about its result."""

    def chunk(**delta: object) -> dict[str, object]:
        return {"choices": [{"index": 0, "delta": delta}]}

    def end(word: str, cached: int, written: int) -> list[object]:
        usage = {"prompt_tokens": 12_900, "completion_tokens": written, "total_tokens": 12_900 + written}
        usage["prompt_cache_hit_tokens"] = cached
        return [{"choices": [{"index": 0, "delta": {}, "finish_reason": word}], "usage": usage}]

    call = {"command": "wc -l *.py", "description": "Count the lines of the Python files"}
    function = {"name": "Bash", "arguments": wire.dumps_text(call)}
    first = [chunk(reasoning_content="One command will tell."), chunk(content="I'll count them.")]
    first.append(chunk(tool_calls=[{"index": 0, "id": "call_1", "type": "function", "function": function}]))
    second = [chunk(content=f"{word} ") for word in ANSWER.split()]
    return [
        stream_reply([*first, *end("tool_calls", 12_100, 52)], delay=0.2, contains='"name":"Bash"'),
        stream_reply([*second, *end("stop", 12_800, 41)], delay=0.08, contains="test_app.py"),
    ]


class Recorder:
    """A terminal; whatever changes on it becomes a frame."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self._screen = pyte.Screen(COLUMNS, ROWS)
        self._stream = pyte.Stream(self._screen)
        self._clock = 0.0

    def show(self, text: str, seconds: float = 0.0) -> None:
        """Write to the screen; `seconds` go by before what comes next."""
        self._stream.feed(_NOT_TEXT.sub("", text.translate(_EASIER)))
        rows = tuple(self._row(number) for number in range(ROWS))
        if not self.frames or rows != self.frames[-1].rows:
            if self.frames and self._clock - self.frames[-1].time < _APART:
                self._clock = self.frames[-1].time + min(_APART, seconds or _APART)
            self.frames.append(Frame(self._clock, rows))
        self._clock += seconds

    def type(self, text: str) -> None:
        """A prompt of the shell, and what is typed there."""
        self.show("\x1b[1;32m$\x1b[0m ", _PAUSE / 2)
        for character in text:
            self.show(character, _TYPING)
        self.show("\r\n", 0.3)

    @property
    def text(self) -> str:
        """What stands on the screen."""
        return "\n".join(self._screen.display)

    def _row(self, number: int) -> tuple[tuple[str, Style], ...]:
        cells = []
        for column in range(COLUMNS):
            cell = self._screen.buffer[number][column]
            ink, paper = cell.fg, cell.bg
            if cell.reverse:
                ink, paper = _REVERSED.get(paper, paper), _REVERSED.get(ink, ink)
            cells.append((cell.data or " ", Style(ink, paper, cell.bold, cell.italics)))
        return tuple(cells)


class Program:
    """A command on the recorder's terminal."""

    def __init__(self, recorder: Recorder, command: list[str], home: Path) -> None:
        self._recorder = recorder
        self._home = str(home)
        self._primary, secondary = pty.openpty()
        fcntl.ioctl(secondary, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self._process = subprocess.Popen(  # noqa: S603 - what is recorded
            ["setsid", "--ctty", "--wait", *command],  # noqa: S607 - of util-linux
            cwd=home / "project",
            stdin=secondary,
            stdout=secondary,
            stderr=secondary,
        )
        os.close(secondary)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def wait_for(self, text: str, limit: float = 40.0) -> None:
        """Record until `text` is there; raises `TimeoutError`."""
        deadline = time.monotonic() + limit
        while text not in self._recorder.text:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{text!r} does not come:\n{self._recorder.text}")
            self._record(0.2)

    def settle(self) -> None:
        """Record until nothing more comes, and let it stand for a moment."""
        deadline = time.monotonic() + 5
        while self._record(0.7) and time.monotonic() < deadline:
            pass
        self._recorder.show("", _PAUSE)

    def type(self, text: str) -> None:
        """Type, character by character, and press Enter."""
        for character in text:
            os.write(self._primary, character.encode())
            self._record(0.15)
        time.sleep(0.3)
        self._record(0.1)
        self.press("\r")

    def press(self, key: str) -> None:
        """Press a key."""
        os.write(self._primary, key.encode())

    def end(self) -> None:
        """Record until the program ends."""
        while self._process.poll() is None or self._record(0.1):
            self._record(0.1)
        os.close(self._primary)

    def kill(self) -> None:
        """End the program at once; what it writes then is not recorded."""
        self._process.kill()
        self._process.wait()
        os.close(self._primary)

    def _record(self, within: float) -> bool:
        if not select.select([self._primary], [], [], within)[0]:
            return False
        try:
            data = os.read(self._primary, 65536)
        except OSError:  # how Linux says that the other side is closed
            return False
        text = self._decoder.decode(data).replace(self._home, "/home/me")
        self._recorder.show(text, _TYPING)
        return bool(data)


def _record(recorder: Recorder, folder: Path, namespace: Namespace, claude: Path) -> None:
    """The session: two commands, the models to choose from, and a question."""
    home = folder / "me"
    variables = {
        "HOME": str(home),
        "PATH": f"{Path(sys.executable).parent}:{claude.parent}:/usr/bin:/bin",
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
        "IS_SANDBOX": "1",
        "DEEPSEEK_API_KEY": "sk-picture",
        "HTTPS_PROXY": f"http://127.0.0.1:{PROXY_PORT}",
        "SSL_CERT_FILE": str(folder / "authority.pem"),
    }

    def run(*command: str) -> Program:
        clean = ["env", "-i", *(f"{name}={value}" for name, value in variables.items()), *command]
        return Program(recorder, namespace.command(clean), home)

    recorder.type("ccproxy init")
    run("ccproxy", "init").end()
    recorder.type("ccproxy")
    session = run("ccproxy")
    session.wait_for("/effort")
    session.settle()
    session.type("/model")
    session.wait_for("Default")
    session.settle()
    session.press("\x1b")
    session.settle()
    session.type(QUESTION)
    session.wait_for("splitting")
    session.settle()
    session.kill()


def _settle_in(folder: Path) -> None:
    """Somebody who has used Claude Code before, with a small project."""
    project = folder / "me" / "project"
    project.mkdir(parents=True)
    (project / "app.py").write_text("import sys\n\n\ndef main():\n    print('hello', *sys.argv[1:])\n")
    (project / "test_app.py").write_text("import app\n\napp.main()\n")
    state = {
        "hasCompletedOnboarding": True,
        "theme": "dark",
        "projects": {str(project): {"hasTrustDialogAccepted": True, "hasCompletedProjectOnboarding": True}},
    }
    (folder / "me" / ".claude.json").write_text(json.dumps(state))
    (folder / "me" / ".claude").mkdir()
    settings = {"permissions": {"allow": ["Bash(wc:*)"], "defaultMode": "default"}}
    (folder / "me" / ".claude" / "settings.json").write_text(json.dumps(settings))


def _listens(log: Path) -> bool:
    return "listening" in log.read_text()


def main(path: Path) -> None:
    """Record the session and write its picture to `path`."""
    claude = npm.claude_code(versions.NEWEST)
    recorder = Recorder()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        namespace = stack.enter_context(private_network())
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(folder / "authority.pem"))
        authority.issue_cert(HOST).private_key_and_cert_chain_pem.write_to_path(str(folder / "server.pem"))
        (folder / "script.json").write_bytes(msgspec.json.encode({"replies": _replies()}))
        _settle_in(folder)
        environment = {"PATH": os.defpath, "PYTHONPATH": str(paths.REPOSITORY)}
        for name, *arguments in (
            ("recording_provider", str(folder), str(PROVIDER_PORT), "0"),
            ("company_proxy", str(folder), str(PROXY_PORT), HOST, str(PROVIDER_PORT)),
        ):
            command = [sys.executable, "-m", f"tests.e2e.{name}", *arguments]
            log = folder / f"{name}.log"
            stack.enter_context(process(namespace.command(command), log, environment))
            wait_until(partial(_listens, log), what=name)
        _record(recorder, folder, namespace, claude)
    path.write_text(render(recorder.frames, COLUMNS, "A first session of ccproxy"), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
