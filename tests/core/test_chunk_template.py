from __future__ import annotations

import json

from claude_code_proxy.core.chunk_template import Hole, learn


def test_a_chunk_that_is_no_single_event_teaches_nothing() -> None:
    payload = {"choices": [{"delta": {"content": "a"}}]}
    hole = Hole(payload["choices"][0]["delta"], "content")
    raw = json.dumps(payload).encode()
    assert learn(b"data: " + raw, payload, [hole]) is None
    assert (
        learn(b"data: " + raw + b"\n\n: and a comment\n\n" + b"data: " + raw + b"\n\n", payload, [hole])
        is None
    )
    assert (
        learn(b'data: {"content": "x0"}\n\n', {"content": "x0", "y": 1}, [Hole({"content": "x0"}, "content")])
        is None
    )
    broken = b'data: {"content": "a", oops}\n\n'
    assert learn(broken, {"content": "a"}, [Hole({"content": "a"}, "content")]) is None
