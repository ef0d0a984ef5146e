"""What a model reads of a message, as one text that only changes when that does.

The same message comes in many envelopes: content as a string or as a list of parts, with keys in any order, with
nulls for what it has not, with ids and statuses that an SDK gave it, with markers for the cache. So the text is made
anew, from sections in the order in which they stand: text, reasoning, tool calls, tool results, and others. A section
begins with its mark between two control characters; text that stands first has none, so that for most messages the
rendering is the text itself, and a place in it is the place in what the agent wrote.

    Let me look.<RS>call search<US>{"query": "tithe"}

Images, sound and files stand for themselves by a digest of their JSON.
"""

from typing import Any

import msgspec

from tithe.core.part import Part, PartRole, digest, fingerprint
from tithe.wire.field import as_list, as_object, as_text

_MARK, _BODY = "\x1e", "\x1f"
_TEXT = "text"
_REASONING = "reasoning"
_SEALED = "reasoning, sealed"
# What no model reads of an item or block, beside null.
_ENVELOPE = ("cache_control", "id", "status")
_DATA = ("image", "image_url", "input_image", "input_audio", "audio", "input_file", "file", "document")


class Rendering:
    """Builds one part's text, section by section. `ids`: of the tool calls that it asks for or answers."""

    def __init__(self) -> None:
        self._sections: list[tuple[str, str]] = []
        self._ids: list[str] = []

    def text(self, text: str) -> None:
        """More text; it is one with the text before it."""
        if self._sections and self._sections[-1][0] == _TEXT:
            self._sections[-1] = (_TEXT, self._sections[-1][1] + text)
        elif text:
            self._sections.append((_TEXT, text))

    def reasoning(self, text: str, *, sealed: bool = False) -> None:
        """Reasoning; `sealed`: what the server needs of it comes in a form that only it can read."""
        if text or sealed:
            self._sections.append((_SEALED if sealed else _REASONING, text))

    def call(self, name: str, arguments: str, call_id: str) -> None:
        """A tool call. Its id is not part of the text: what it names is there."""
        self._sections.append((f"call {name}", arguments))
        self.mentions(call_id)

    def result(self, content: Any, call_id: str, *, failed: bool = False) -> None:
        """A tool's result: its text, and then what it brings beside text."""
        said = Rendering()
        said.content(content)
        texts = [text for mark, text in said._sections if mark == _TEXT]
        self._sections.append((f"{'failure' if failed else 'result'} {call_id}", "".join(texts)))
        self._sections += [section for section in said._sections if section[0] != _TEXT]
        self.mentions(call_id)

    def content(self, content: Any) -> None:
        """Content that is a string, or a list of parts of which most have text."""
        if isinstance(content, str):
            self.text(content)
            return
        for part in as_list(content):
            fields = as_object(part)
            text = fields.get("text", fields.get("refusal", part))
            if isinstance(text, str):
                self.text(text)
            else:
                self.other(part)

    def named(self, name: str) -> None:
        """Who speaks."""
        if name:
            self._sections.append(("name", name))

    def other(self, item: Any) -> None:
        """Anything else, by its JSON; data by the digest of it."""
        fields = as_object(item)
        kind = as_text(fields.get("type")) or "item"
        written = ordered(_bare(fields) if fields else item)
        self._sections.append((kind, digest(written, 16) if kind in _DATA else written))

    def part(self, place: str, role: PartRole, name: str | None = None) -> Part:
        """The part that it has come to."""
        bare = [section for section in self._sections if section[0] not in (_REASONING, _SEALED)]
        return fingerprint(
            _written(self._sections),
            place=place,
            role=role,
            name=name,
            canonical=self._meant,
            bare=None if len(bare) == len(self._sections) else _written(bare),
            calls=tuple(self._ids),
        )

    def mentions(self, call_id: str) -> None:
        """It has to do with this tool call."""
        if call_id:
            self._ids.append(call_id)

    def _meant(self) -> list[list[Any]]:
        return [[mark, _meaning(text)] for mark, text in self._sections]


def definition(tool: Any, place: str) -> Part:
    """The part that a tool's definition is: its JSON with keys in the order sent, which templates keep, without the
    white space between them, which is gone once it is decoded."""
    fields = as_object(tool)
    name = as_text(fields.get("name")) or as_text(as_object(fields.get("function")).get("name"))
    sent = {key: value for key, value in fields.items() if key != "cache_control"} if fields else tool
    text = msgspec.json.encode(sent).decode()
    return fingerprint(text, place=place, role="tool_definition", name=name or None, canonical=lambda: sent)


def definitions(tools: Any, place: str) -> tuple[Part, ...]:
    """The tools of a request, one part each."""
    return tuple(definition(tool, f"{place}[{i}]") for i, tool in enumerate(as_list(tools)))


def ordered(value: Any) -> str:
    """JSON with its keys sorted and no white space."""
    return msgspec.json.encode(value, order="deterministic").decode()


def _bare(item: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in item.items() if value is not None and key not in _ENVELOPE}


def _written(sections: list[tuple[str, str]]) -> str:
    pieces: list[str] = []
    for at, (mark, text) in enumerate(sections):
        if at or mark != _TEXT:
            pieces += (_MARK, mark, _BODY)
        pieces.append(text)
    return "".join(pieces)


def _meaning(text: str) -> Any:
    """The JSON that a text is, or else the text with its white space evened out."""
    if text[:1] in ("{", "["):
        try:
            return msgspec.json.decode(text)
        except (ValueError, RecursionError):
            pass
    return " ".join(text.split())
