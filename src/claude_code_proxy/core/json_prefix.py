"""An incremental scanner that knows whether text so far is a prefix of one JSON object.

Needed because tool arguments are forwarded while they stream: clients raise on a fragment that makes the
accumulated JSON invalid, and a later tool call may only start when the open one is complete.
"""

from __future__ import annotations

import re

_PLAIN = re.compile(r'[^"\\\x00-\x1f]*')
_SPACE = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"[-+0-9.eE]*")
_WHOLE_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?\Z")
_NUMBER_PREFIX = re.compile(
    r"-?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|(?:0|[1-9][0-9]*)(?:\.[0-9]+)?[eE][-+]?[0-9]*)?\Z"
)
_LITERALS = {"t": "true", "f": "false", "n": "null"}
_LONGEST_NUMBER = 16_384  # characters
_HEX = frozenset("0123456789abcdefABCDEF")

# What may come next.
_OPEN, _KEY_OR_END, _KEY, _COLON, _VALUE, _VALUE_OR_END, _COMMA_OR_END = range(7)
_STRING, _ESCAPE, _HEX4, _NUMBER_STATE, _LITERAL, _DONE, _BROKEN = range(7, 14)


class ObjectScanner:
    """Feed text in pieces; `complete` once the object closed, `broken` after the first illegal character."""

    def __init__(self) -> None:
        self._state = _OPEN
        self._stack: list[str] = []  # "}" or "]" of the open containers
        self._in_key = False
        self._token = ""  # of an unfinished number or literal
        self._hex = 0

    @property
    def complete(self) -> bool:
        """One whole object was read."""
        return self._state == _DONE

    @property
    def broken(self) -> bool:
        """What was read is no prefix of a JSON object."""
        return self._state == _BROKEN

    @property
    def depth(self) -> int:
        """How many containers are open."""
        return len(self._stack)

    def goes_on(self, text: str) -> bool:
        """Whether a string is open that `text` only adds to: then it need not be fed."""
        return self._state == _STRING and _PLAIN.fullmatch(text) is not None

    def copy(self) -> ObjectScanner:
        """Another one that has read the same."""
        other = ObjectScanner()
        other.__dict__.update(self.__dict__, _stack=self._stack.copy())
        return other

    def feed(self, text: str) -> int:
        """Read `text`; return how many of its characters belong to the object.

        Fewer than `len(text)` when the object ended inside `text`, or at the first illegal character.
        """
        at, end = 0, len(text)
        while at < end and self._state < _DONE:
            at = self._string(text, at) if _STRING <= self._state <= _HEX4 else self._structure(text, at)
        return at

    def _string(self, text: str, at: int) -> int:
        if self._state == _STRING:
            match = _PLAIN.match(text, at)
            assert match is not None
            at = match.end()
            if at == len(text):
                return at
            if text[at] == '"':
                self._state = _COLON if self._in_key else _COMMA_OR_END
            elif text[at] == "\\":
                self._state = _ESCAPE
            else:
                return self._break(at)
            return at + 1
        character = text[at]
        if self._state == _ESCAPE:
            if character == "u":
                self._state, self._hex = _HEX4, 4
            elif character in '"\\/bfnrt':
                self._state = _STRING
            else:
                return self._break(at)
            return at + 1
        if character not in _HEX:
            return self._break(at)
        self._hex -= 1
        if not self._hex:
            self._state = _STRING
        return at + 1

    def _structure(self, text: str, at: int) -> int:
        if self._state == _NUMBER_STATE:
            return self._number(text, at)
        if self._state == _LITERAL:
            return self._literal(text, at)
        match = _SPACE.match(text, at)
        assert match is not None
        at = match.end()
        if at == len(text):
            return at
        character, state = text[at], self._state
        if character in "}]":
            return self._end(character, at)
        if state in (_VALUE, _VALUE_OR_END, _OPEN):
            return self._value(character, at)
        if state in (_KEY, _KEY_OR_END) and character == '"':
            self._state, self._in_key = _STRING, True
        elif state == _COLON and character == ":":
            self._state = _VALUE
        elif state == _COMMA_OR_END and character == ",":
            self._state = _KEY if self._stack[-1] == "}" else _VALUE
        else:
            return self._break(at)
        return at + 1

    def _value(self, character: str, at: int) -> int:
        if self._state == _OPEN and character != "{":
            return self._break(at)
        if character == "{":
            self._stack.append("}")
            self._state = _KEY_OR_END
        elif character == "[":
            self._stack.append("]")
            self._state = _VALUE_OR_END
        elif character == '"':
            self._state, self._in_key = _STRING, False
        elif character in "-0123456789":
            self._state, self._token = _NUMBER_STATE, ""
            return at
        elif character in _LITERALS:
            self._state, self._token = _LITERAL, ""
            return at
        else:
            return self._break(at)
        return at + 1

    def _end(self, character: str, at: int) -> int:
        endable = self._state in (_KEY_OR_END, _VALUE_OR_END, _COMMA_OR_END)
        if not endable or self._stack[-1] != character:
            return self._break(at)
        self._stack.pop()
        self._state = _COMMA_OR_END if self._stack else _DONE
        return at + 1

    def _number(self, text: str, at: int) -> int:
        match = _NUMBER.match(text, at)
        assert match is not None
        self._token += match.group()
        if len(self._token) > _LONGEST_NUMBER:  # it is read again with each piece
            return self._break(at)
        if match.end() == len(text):
            return match.end() if _NUMBER_PREFIX.match(self._token) else self._break(at)
        if not _WHOLE_NUMBER.match(self._token):
            return self._break(at)
        self._state = _COMMA_OR_END
        return match.end()

    def _literal(self, text: str, at: int) -> int:
        self._token += text[at]
        word = _LITERALS[self._token[0]]
        if not word.startswith(self._token):
            return self._break(at)
        if word == self._token:
            self._state = _COMMA_OR_END
        return at + 1

    def _break(self, at: int) -> int:
        self._state = _BROKEN
        return at
