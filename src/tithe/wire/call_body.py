"""The inside of a `<tool_call>`: `{"name": "f", "arguments": {...}}`, read while it is being written.

The arguments leave here exactly as the model wrote them, byte for byte and as they come, because a
conversation whose history was re-serialized no longer extends the prefix that is in the KV cache
(`{"a":1}` and `{"a": 1}` are different tokens). So nothing is decoded but the keys and the name; of a
value only its end is found: brackets are counted outside of strings, and escapes are skipped within
them. Outside of strings JSON has no `<`, so one there ends a value: it begins the closing tag of a
call that the model left incomplete.

Keys may come in any order: arguments written before the name are kept until the name is known, since
a call is announced by its name. `parameters` is read as `arguments` (Llama writes it so); the first of
a repeated key counts; other keys are skipped. A call without arguments has `{}`.
"""

import json
import re
from typing import Literal

WHITE = " \t\r\n"
_IN_STRING = re.compile(r'["\\]')
_IN_CONTAINER = re.compile(r'["{}\[\]<]')
_AFTER_SCALAR = re.compile(r"[,}\]< \t\r\n]")
_SCALAR_STARTS = frozenset("-0123456789tfnTFN")
_ARGUMENT_KEYS = ("arguments", "parameters")


class ValueEnd:
    """Finds where one JSON value ends, in text that comes in pieces. `first` is its first character."""

    def __init__(self, first: str) -> None:
        self._depth = 1 if first in "{[" else 0
        self._quoted = first == '"'
        self._escaped = False

    def scan(self, text: str, at: int) -> tuple[int, bool]:
        """From `at` on, the index where the value's part of `text` ends, and whether the value ends there."""
        while at < len(text):
            if self._escaped:
                self._escaped = False
                at += 1
                continue
            if not self._quoted and not self._depth:
                found = _AFTER_SCALAR.search(text, at)
                return (len(text), False) if found is None else (found.start(), True)
            found = (_IN_STRING if self._quoted else _IN_CONTAINER).search(text, at)
            if found is None:
                return len(text), False
            mark, at = found.group(), found.end()
            if mark == "\\":
                self._escaped = True
            elif mark == '"':
                self._quoted = not self._quoted
            elif mark == "<":
                return found.start(), True
            else:
                self._depth += 1 if mark in "{[" else -1
            if not self._quoted and not self._depth:
                return at, True
        return at, False


class CallBody:
    """Reads one call's object. `name` is set once it is known; `ended` once no more text belongs to it;
    `broken` when it ended by something other than its closing brace, or without a name."""

    def __init__(self) -> None:
        self.name: str | None = None
        self.ended = False
        self.broken = False
        self._expected: Literal["open", "key", "key or close", "colon", "value", "comma or close"] = "open"
        self._key = ""
        self._value: ValueEnd | None = None
        self._token: list[str] = []
        self._arguments: list[str] = []
        self._skipped: list[str] = []
        self._into = self._token
        self._has_arguments = False

    def feed(self, text: str) -> tuple[str, str]:
        """Take more text; return the arguments to give out now, and what came after the body's end.

        Arguments are given out once `name` is known: never, when it does not come to be.
        """
        at = 0
        while at < len(text) and not self.ended:
            if self._value is not None:
                end, done = self._value.scan(text, at)
                self._into.append(text[at:end])
                at = end
                if done:
                    self._close_value()
            elif text[at] in WHITE or self._mark(text[at]):
                at += 1
            else:
                self.ended = self.broken = True
        if self.name is None:
            return "", text[at:]
        arguments = "".join(self._arguments)
        self._arguments.clear()
        return arguments, text[at:]

    def _mark(self, mark: str) -> bool:
        """Act on one character between values; False when it may not stand there."""
        expected = self._expected
        if expected == "open" and mark == "{":
            self._expected = "key or close"
        elif expected in ("key or close", "comma or close") and mark == "}":
            self._close()
        elif expected == "comma or close" and mark == ",":
            self._expected = "key"
        elif expected == "colon" and mark == ":":
            self._expected = "value"
        elif expected in ("key", "key or close") and mark == '"':
            self._open_value(mark, self._token)
        elif expected == "value" and (mark in '"{[' or mark in _SCALAR_STARTS):
            self._open_value(mark, self._destination())
        else:
            return False
        return True

    def _destination(self) -> list[str]:
        if self._key in _ARGUMENT_KEYS and not self._has_arguments:
            self._has_arguments = True
            return self._arguments
        if self._key == "name" and self.name is None:
            return self._token
        self._skipped.clear()
        return self._skipped

    def _open_value(self, mark: str, into: list[str]) -> None:
        self._value = ValueEnd(mark)
        self._into = into
        into.append(mark)

    def _close_value(self) -> None:
        self._value = None
        was_key = self._expected != "value"
        self._expected = "colon" if was_key else "comma or close"
        if self._into is not self._token:
            return
        token = _string_of("".join(self._token))
        self._token.clear()
        if was_key and token is not None:
            self._key = token
        elif token:
            self.name = token
        else:
            self.ended = self.broken = True

    def _close(self) -> None:
        self.ended = True
        self.broken = self.name is None
        if not self._has_arguments:
            self._arguments.append("{}")


def _string_of(text: str) -> str | None:
    """The string that a JSON text stands for; None when it stands for no string, or for no text at all."""
    try:
        value = json.loads(text, strict=False)
        value.encode()
    except (ValueError, AttributeError, RecursionError):
        return None
    return value
