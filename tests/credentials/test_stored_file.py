"""Files with tokens: half written, written by two at once, links, modes."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING

import pytest

from claude_code_proxy.credentials.source import CredentialError
from claude_code_proxy.credentials.stored_file import locked, read_object, write_object

if TYPE_CHECKING:
    from pathlib import Path


def test_what_is_written_is_whole_and_private(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.json"
    write_object(path, {"a": 1})
    assert read_object(path) == {"a": 1}
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert [entry.name for entry in path.parent.iterdir()] == ["a.json"]


def test_a_link_stays_one(tmp_path: Path) -> None:
    real, link = tmp_path / "real.json", tmp_path / "a.json"
    real.write_text("{}")
    link.symlink_to(real)
    write_object(link, {"a": 1})
    assert link.is_symlink()
    assert json.loads(real.read_text()) == {"a": 1}


def test_a_file_that_is_being_written_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"tokens": {"acc')

    def finish() -> None:
        time.sleep(0.1)
        path.write_text('{"tokens": {}}')

    writer = threading.Thread(target=finish)
    writer.start()
    assert read_object(path) == {"tokens": {}}
    writer.join()


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 10_000])
def test_a_file_that_stays_incomplete(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(CredentialError, match="no complete JSON object") as caught:
        read_object(path)
    assert caught.value.transient


def test_no_file(tmp_path: Path) -> None:
    assert read_object(tmp_path / "none.json") is None
    with pytest.raises(CredentialError, match="directory"):
        read_object(tmp_path)
    (tmp_path / "f").write_text("")
    with pytest.raises(CredentialError):
        write_object(tmp_path / "f" / "a", {})


def test_one_holds_the_lock(tmp_path: Path) -> None:
    order: list[str] = []

    def second() -> None:
        with locked(tmp_path / "a.json"):
            order.append("second")

    with locked(tmp_path / "a.json"):
        other = threading.Thread(target=second)
        other.start()
        time.sleep(0.2)
        order.append("first")
    other.join()
    assert order == ["first", "second"]
