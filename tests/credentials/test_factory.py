"""Each kind by name: what it gives, what it refuses, and that nothing is imported before it is used."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from claude_code_proxy.credentials.factory import KINDS, make_fetcher
from claude_code_proxy.credentials.source import Credential, CredentialError

if TYPE_CHECKING:
    from pathlib import Path


def test_fixed_keys_stay_what_they_are() -> None:
    env = {"MY_KEY": " k2 \n"}
    for kind, value, token in (("plain", "k1", "k1"), ("env", "MY_KEY", "k2")):
        fetcher = make_fetcher(kind, value, env)
        assert fetcher.fetch().token == token
        assert fetcher.fetch(Credential(token)) == Credential(token)
        assert fetcher.stamp() is None


@pytest.mark.parametrize(
    ("name", "hint"), [("MY_KEI", 'did you mean "MY_KEY"?'), ("OTHER", "export OTHER=...")]
)
def test_a_variable_that_is_not_set(name: str, hint: str) -> None:
    with pytest.raises(CredentialError) as caught:
        make_fetcher("env", name, {"MY_KEY": "planted"}).fetch()
    assert (str(caught.value), caught.value.hint) == ("the variable is not set", hint)


def test_a_key_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("one\nmore\n")
    path.chmod(0o600)
    fetcher = make_fetcher("file", "~/key", {"HOME": str(tmp_path)})
    before = fetcher.stamp()
    assert fetcher.fetch() == Credential("one")
    new = tmp_path / "new"
    new.write_text("two")
    new.chmod(0o600)
    new.rename(path)
    assert fetcher.stamp() != before
    assert fetcher.fetch(Credential("one")) == Credential("two")


@pytest.mark.parametrize(
    ("content", "mode", "says", "transient"),
    [
        (b"planted", 0o640, "other users can read it", False),
        (b"planted", 0o604, "other users can read it", False),
        (b"", 0o600, "is empty", True),
        (b"\nplanted", 0o600, "is empty", True),
        (b"planted key", 0o600, "white space", False),
        (b"planted\xff", 0o600, "characters that no key has", False),
    ],
)
def test_key_files_that_are_refused(
    tmp_path: Path, content: bytes, mode: int, says: str, *, transient: bool
) -> None:
    path = tmp_path / "key"
    path.write_bytes(content)
    path.chmod(mode)
    with pytest.raises(CredentialError, match=says) as caught:
        make_fetcher("file", str(path), {}).fetch()
    assert caught.value.transient is transient
    assert "planted" not in caught.value.told


def test_a_key_file_that_is_not_there(tmp_path: Path) -> None:
    for path, says in ((tmp_path / "none", "No such file"), (tmp_path, "is no file")):
        fetcher = make_fetcher("file", str(path), {})
        with pytest.raises(CredentialError, match=says):
            fetcher.fetch()
    assert make_fetcher("file", str(tmp_path / "none"), {}).stamp() is None


def test_nothing_is_imported_before_it_is_used() -> None:
    """The launcher imports this at every start."""
    code = (
        "import sys; from claude_code_proxy.credentials import factory; "
        "print([n for n in ('asyncio', 'subprocess', 'urllib.request', 'ssl', 'keyring') if n in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
    assert {"plain", "env", "keyring", "cmd", "file"} <= set(KINDS)
