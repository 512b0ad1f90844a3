"""`cmd:` with and without `ttl=`. What a command does wrong is in tests/cli/ccproxy/test_keys.py."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from claude_code_proxy.credentials.command import Command, split_ttl
from claude_code_proxy.credentials.renewing import Renewing
from claude_code_proxy.credentials.source import Credential, CredentialError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("text", "command", "seconds"),
    [
        ("gh auth token", "gh auth token", None),
        ("ttl=50m gcloud auth print-access-token", "gcloud auth print-access-token", 3000),
        ("ttl=90s  a | b", "a | b", 90),
        ("ttl=1h a\nb", "a\nb", 3600),
        ("TTL=5 cmd", "TTL=5 cmd", None),
    ],
)
def test_the_ttl_stands_before_the_command(text: str, command: str, seconds: float | None) -> None:
    assert split_ttl(text) == (command, seconds)


@pytest.mark.parametrize("text", ["", "ttl=50m", "ttl=50m ", "ttl=50 x", "ttl=m x", "ttl=0m x", "ttl=-5m x"])
def test_bad_ttls(text: str) -> None:
    with pytest.raises(CredentialError, match="auth_key has"):
        split_ttl(text)


def counting(tmp_path: Path, ttl: str = "") -> Command:
    """A command that prints another key each time."""
    count = tmp_path / "count"
    return Command(f"{ttl}echo x >> {count}; echo key-$(wc -l < {count} | tr -d ' ')", dict(os.environ))


async def test_a_key_with_a_ttl_is_renewed_before_its_end(tmp_path: Path) -> None:
    now = time.time()
    source = Renewing(counting(tmp_path, "ttl=50m "), clock=lambda: now, pause=0)
    first = await source.current()
    assert (first.token, await source.current()) == ("key-1", first)
    assert first.expires_at == pytest.approx(now + 3000, abs=30)
    now += 2999
    assert (await source.current()).token == "key-2"


async def test_a_key_without_one_is_renewed_after_a_refusal_only(tmp_path: Path) -> None:
    source = Renewing(counting(tmp_path), pause=0)
    assert (await source.current()).expires_at is None
    assert (await source.renew()).token == "key-2"


async def test_the_first_key_comes_from_the_launcher(tmp_path: Path) -> None:
    source = Renewing(counting(tmp_path), Credential("key-0"), pause=0)
    assert (await source.current()).token == "key-0"
    assert (await source.renew()).token == "key-1"


@pytest.mark.parametrize(
    "command", ["yes", "echo key; yes", "head -c 70000 /dev/zero", "yes | tee /dev/stderr 2>/dev/null"]
)
def test_a_command_that_prints_without_end(command: str) -> None:
    began = time.monotonic()
    with pytest.raises(CredentialError, match="more than 65536 bytes"):
        Command(command, dict(os.environ)).fetch()
    assert time.monotonic() - began < 20


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("exec >&-; sleep 60", "within 1 s"),
        ("sleep 60 & sleep 60", "within 1 s"),
        ("printf 'a\\r\\nb\\r\\n'", "a"),
        ("printf 'a\\n\\nb'", "a"),
        ("printf '\\r\\n'", "nothing"),
        ("printf '\\377\\376key'", "no key has"),
        ("printf 'a b'", "white space"),
        ("kill -9 $$", "exit code -9"),
        ("echo key; kill -TERM $$", "exit code -15"),
    ],
)
def test_odd_commands(command: str, says: str) -> None:
    source = Command(command, {**os.environ, "CCPROXY_KEY_TIMEOUT": "1" if "within" in says else "30"})
    if len(says) == 1:
        assert source.fetch().token == says
    else:
        with pytest.raises(CredentialError, match=says):
            source.fetch()
