"""The folder of captures: bounded, its owner's alone, shared by processes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from claude_code_proxy.config.problems import ConfigError
from claude_code_proxy.server.capture.capture_folder import CaptureFolder

if TYPE_CHECKING:
    from pathlib import Path

LINE = "POST", "/v1/messages", ""


def add(folder: CaptureFolder, number: int, body: bytes = b"{}") -> str:
    name = f"req_{number:024x}"
    capture = folder.begin(lambda: 1.0, 0.0, LINE, [], body)
    folder.keep(capture, {"request_id": name}, [])
    return name


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "captures"


def opened(path: Path, *, count: int = 3, size: int = 1 << 20) -> tuple[CaptureFolder, list[str]]:
    warnings: list[str] = []
    return CaptureFolder(path, count, size, warnings.append), warnings


def test_the_oldest_go_and_other_files_stay(path: Path) -> None:
    first, _ = opened(path)
    (path / "notes.json").write_text("{}")
    second, _ = opened(path)
    names = [add(first, number) for number in range(2)]
    first.close()
    names += [add(second, number) for number in range(2, 5)]
    second.close()
    assert second.names() == names[2:]
    assert (path / "notes.json").exists()
    assert second.read(names[0]) is None
    read: Any = second.read(names[4])
    assert (read["record"], read["request"]["body"]) == ({"request_id": names[4]}, {})


def test_the_size_of_all_is_bounded(path: Path) -> None:
    folder, _ = opened(path, count=100, size=4000)
    names = [add(folder, number, json.dumps({"text": "x" * 1000}).encode()) for number in range(3)]
    folder.close()
    names += [add(folder := opened(path, count=100, size=4000)[0], number) for number in range(3, 4)]
    folder.close()
    kept = folder.names()
    assert kept
    assert kept == names[-len(kept) :]
    assert sum(file.stat().st_size for file in path.iterdir()) <= 4000


def test_a_folder_for_others_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "open"
    path.mkdir(mode=0o755)
    with pytest.raises(ConfigError, match=f"chmod 700 {path}"):
        opened(path)
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(ConfigError, match="--capture"):
        opened(file)


def test_a_disk_that_fails_is_a_warning(path: Path) -> None:
    folder, warnings = opened(path)
    path.rmdir()
    add(folder, 1)
    folder.close()
    assert "is not kept" in warnings[0]


def test_a_body_that_is_no_json_is_text(path: Path) -> None:
    folder, _ = opened(path)
    name = add(folder, 1, b"\xff{")
    folder.close()
    read: Any = folder.read(name)
    assert read["request"]["body"] == "\ufffd{"
