"""Headers and bodies without keys."""

from __future__ import annotations

import json

import pytest

from claude_code_proxy.core.sealed_keys import seal
from claude_code_proxy.server.capture.key_masks import KeyMasks, harmless

KEY = 'a"key/with\\all+that=9'


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("Authorization", f"Bearer {KEY}"),
        ("authorization", KEY),
        ("x-api-key", KEY),
        ("X-Goog-Api-Key", KEY),
        ("x-proxy-admin-token", KEY),
        ("cookie", KEY),
        ("x-ccproxy-keys", seal({"https://a.example/v1": KEY})),
        ("x-ccproxy-keys", KEY),
    ],
)
def test_the_keys_of_headers_are_hidden_however_they_are_written(header: str, value: str) -> None:
    masks = KeyMasks()
    masks.learn([(header, value), ("x-app", "cli")])
    body = json.dumps({"plain": KEY, "twice": json.dumps({"x": "é " + KEY}), "text": "a key"}).encode()
    hidden = masks.hide(body)
    assert len(hidden) == len(body)
    said = json.loads(hidden)
    assert said["plain"] == "*" * len(said["plain"])
    assert said["text"] == "a key"
    assert "with" not in hidden.decode()
    assert masks.hide(b"/search?q=a%22key%2Fwith%5Call%2Bthat%3D9&n=1") == b"/search?q=" + b"*" * 31 + b"&n=1"


@pytest.mark.parametrize(
    "key",
    [
        "sk-ant-" + "a1_B2-" * 9,
        "sk-proj-0123456789abcdefghij",
        "xai-0123456789abcdefghij",
        "gsk_0123456789abcdefghij",
        "AIzaSyA0123456789abcdefghijklmnopqrstuv",
        "ghp_0123456789abcdefghij0123456789abcdef",
        "hf_0123456789abcdefghijabcdefghijabcd",
        "AKIAIOSFODNN7EXAMPLE",
    ],
)
def test_what_looks_like_a_key_is_hidden(key: str) -> None:
    hidden = KeyMasks().hide(f'{{"text": "export K={key} # mine"}}'.encode())
    assert hidden == b'{"text": "export K=' + b"*" * len(key) + b' # mine"}'


def test_words_are_left_alone() -> None:
    text = b'{"text": "risk-assessment-of-the-whole-project, task_0123456789abcdefghij, sk-short"}'
    assert KeyMasks().hide(text) == text


def test_only_harmless_headers_are_kept() -> None:
    sent = [
        ("Authorization", "x"),
        ("X-Claude-Code-Session-Id", "s"),
        ("x-team", "t"),
        ("x-stainless-os", "Linux"),
        ("set-cookie", "c"),
    ]
    assert harmless(sent) == {"x-claude-code-session-id": "s", "x-stainless-os": "Linux"}
