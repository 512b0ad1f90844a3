"""A tiny MCP server over standard input and output: one tool, `shout`, that answers in capitals."""

from __future__ import annotations

import json
import sys
from typing import Any

_TOOL = {
    "name": "shout",
    "description": "Say a text in capitals.",
    "inputSchema": {
        "type": "object",
        "properties": {"text": {"type": "string", "minLength": 1}},
        "required": ["text"],
        "additionalProperties": False,
        "$schema": "http://json-schema.org/draft-07/schema#",
    },
}


def answer(method: str, params: dict[str, Any]) -> dict[str, Any] | None:
    """The result of a request; None for a method that this server does not have."""
    match method:
        case "initialize":
            return {
                "protocolVersion": params["protocolVersion"],
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "tiny", "version": "1"},
            }
        case "tools/list":
            return {"tools": [_TOOL]}
        case "tools/call":
            text = params["arguments"]["text"].upper()
            return {"content": [{"type": "text", "text": text}, {"type": "text", "text": "!"}]}
        case "ping":
            return {}
    return None


def main() -> None:
    """Answer one JSON-RPC message per line until the input ends."""
    for line in sys.stdin:
        message = json.loads(line)
        if "id" not in message:
            continue  # a notification wants no answer
        reply: dict[str, Any] = {"jsonrpc": "2.0", "id": message["id"]}
        result = answer(message["method"], message.get("params") or {})
        if result is None:
            reply["error"] = {"code": -32601, "message": "no such method"}
        else:
            reply["result"] = result
        print(json.dumps(reply), flush=True)


if __name__ == "__main__":
    main()
