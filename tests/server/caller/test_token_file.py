"""The file of hashed tokens."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

import pytest

from claude_code_proxy.config import watched_file
from claude_code_proxy.config.problems import ConfigError
from claude_code_proxy.server.caller.token_file import TokenFile

if TYPE_CHECKING:
    from pathlib import Path


def line(token: str) -> str:
    return f"sha256:{hashlib.sha256(token.encode()).hexdigest()}"


@pytest.mark.parametrize(
    "text",
    ["a-plain-token", "sha256:abc", f"{line('a')}0", f"{line('a')} two names", "md5:" + "0" * 64],
)
def test_what_is_no_hash_is_refused_and_not_shown(tmp_path: Path, text: str) -> None:
    path = tmp_path / "tokens"
    path.write_text(f"{line('good')} ann\n{text}\n")
    with pytest.raises(ConfigError) as caught:
        TokenFile(path)
    assert ":2: " in str(caught.value)
    assert text not in str(caught.value)


def test_a_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        TokenFile(tmp_path / "none")
    (tmp_path / "latin").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="UTF-8"):
        TokenFile(tmp_path / "latin")


def test_it_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(watched_file, "_CHECK_EVERY", 0.0)
    monkeypatch.setattr(watched_file, "_CHECK_AGAIN", 0.0)
    path = tmp_path / "tokens"

    def write(text: str, age: int) -> None:
        path.write_text(text)
        os.utime(path, (path.stat().st_atime, path.stat().st_mtime - age))

    write(f"{line('old')}\r\n", 10)
    tokens = TokenFile(path)
    assert ("old" in tokens, "new" in tokens, "" in tokens) == (True, False, False)
    write(f"  {line('new')}\tbob  \n", 0)
    assert "old" in tokens  # it may still be written
    write(f"  {line('new')}\tbob  \n", 5)
    assert ("old" in tokens, "new" in tokens) == (False, True)
    write("nonsense", 7)
    assert "new" in tokens
    assert "keeping the last good version" in caplog.text
    path.unlink()
    assert "new" in tokens
    if os.name != "nt":
        os.mkfifo(path)  # reading it would not end
        assert "new" in tokens
