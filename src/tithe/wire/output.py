"""Model text to pieces: visible text, reasoning, and tool calls, as they come.

Theory. The text is in one of three places at any time: the answer, the reasoning (`<think>` to
`</think>`), or a call (`<tool_call>` to `</tool_call>`, the form of Hermes and Qwen). In each place only
the tags that can follow are looked for: a closing tag that closes nothing is text, and within reasoning
everything but `</think>` is reasoning. Text that could be the beginning of a tag is held back until it
is one or is not, so that no part of a tag is ever given out and no text is ever lost; the concatenated
pieces do not depend on how the text was cut up.

White space. The newlines that templates set around tags are not part of what the model said, and they
come back when the conversation is rendered again: in the answer, white space directly before `<think>`
and `<tool_call>`, between calls, and after `</think>` and `</tool_call>` is dropped. Of
reasoning the newlines at both ends are dropped, since templates set them again around what is sent
back; reasoning that is nothing but white space (`<think>\\n\\n</think>`) is none.

A `<tool_call>` in which no name can be read is not a call: it comes back as text, verbatim.
"""

import re

import msgspec

from tithe.wire.call_body import WHITE, CallBody

THINK, END_THINK = "<think>", "</think>"
CALL, END_CALL = "<tool_call>", "</tool_call>"


class Text(msgspec.Struct, frozen=True):
    """More of the answer."""

    text: str


class Reasoning(msgspec.Struct, frozen=True):
    """More of the reasoning."""

    text: str


class CallOpened(msgspec.Struct, frozen=True):
    """A call (0, 1, ... in order of appearance) whose name is now known."""

    call: int
    name: str


class CallArguments(msgspec.Struct, frozen=True):
    """More of a call's arguments, as the model wrote them."""

    call: int
    text: str


_TEXT_TAGS = re.compile(THINK)
_CALL_TAGS = re.compile(f"{THINK}|{CALL}")
_OPEN_CALL_TAGS = re.compile(f"{THINK}|{CALL}|{END_CALL}")
_REASONING_TAGS = re.compile(END_THINK)

Piece = Text | Reasoning | CallOpened | CallArguments


class OutputParser:
    """Takes one choice's text as it is generated.

    Args:
        tools: whether `<tool_call>` opens a call; otherwise it is plain text.
        reasoning_open: the template ended with `<think>`, so the text begins within the reasoning.
    """

    def __init__(self, *, tools: bool, reasoning_open: bool = False) -> None:
        self._text_tags = _CALL_TAGS if tools else _TEXT_TAGS
        self._reasoning = reasoning_open
        self._blank = True
        self._held = ""
        self._after_tag = False
        self._calls = 0
        self._body: CallBody | None = None
        self._body_text: list[str] = []
        self._space: str = ""

    @property
    def reasoning(self) -> bool:
        """Whether the text is within the reasoning now."""
        return self._reasoning

    def feed(self, text: str) -> list[Piece]:
        """Take more text; return the pieces that are certain now. Never raises."""
        if not self._held and self._body is None and text and "<" not in text:
            if self._reasoning:
                if not self._blank and text[-1] != "\n":
                    return [Reasoning(text)]
            elif not self._after_tag and text[-1] not in WHITE:
                return [Text(text)]
        pieces: list[Piece] = []
        self._held += text
        while self._advance(pieces):
            pass
        return pieces

    def flush(self) -> list[Piece]:
        """The text has ended: return what was held back. Nothing may be fed afterwards."""
        pieces: list[Piece] = []
        while self._body is not None and self._body.name is None:
            self._give_back_call(pieces)
            while self._advance(pieces):
                pass
        held, self._held = self._held, ""
        if self._reasoning:
            self._give_reasoning(held, pieces)
        elif held:
            pieces.append(Text(held))
        return pieces

    def _advance(self, pieces: list[Piece]) -> bool:
        """Go as far as the next tag; False when more text is needed for that."""
        if self._body is not None:
            return self._advance_call(self._body, pieces)
        if self._reasoning:
            return self._advance_reasoning(pieces)
        return self._advance_text(pieces)

    def _advance_text(self, pieces: list[Piece]) -> bool:
        if self._after_tag:
            self._held = self._held.lstrip(WHITE)
        held = self._held
        found = self._text_tags.search(held)
        end = _certain(held, self._text_tags) if found is None else found.start()
        said = held[:end].rstrip(WHITE)
        if said:
            pieces.append(Text(said))
            self._after_tag = False
        if found is None:
            self._held = held[len(said) :]
            return False
        self._held = held[found.end() :]
        if found.group() == THINK:
            self._reasoning = self._blank = True
        elif found.group() == CALL:
            self._body = CallBody()
            self._space = held[len(said) : end]
        else:
            self._text_tags = _CALL_TAGS
            self._after_tag = True
        return True

    def _advance_reasoning(self, pieces: list[Piece]) -> bool:
        if self._blank:
            self._held = self._held.lstrip("\n")
        held = self._held
        found = _REASONING_TAGS.search(held)
        end = _certain(held, _REASONING_TAGS) if found is None else found.start()
        said = held[:end].rstrip("\n")
        given = self._give_reasoning(said, pieces)
        if found is None:
            self._held = held[len(said) :] if given else held
            return False
        self._held = held[found.end() :]
        self._reasoning = False
        self._after_tag = True
        return True

    def _advance_call(self, body: CallBody, pieces: list[Piece]) -> bool:
        text, self._held = self._held, ""
        named = body.name is not None
        arguments, rest = body.feed(text)
        if not named:
            self._body_text.append(text)
            if body.name is not None:
                pieces.append(CallOpened(self._calls, body.name))
                self._calls += 1
                self._body_text.clear()
        if arguments:
            pieces.append(CallArguments(self._calls - 1, arguments))
        if not body.ended:
            return False
        if body.name is None:
            self._give_back_call(pieces)
        else:
            self._body = None
            self._held = rest
            self._text_tags = _OPEN_CALL_TAGS
            self._after_tag = True
        return True

    def _give_back_call(self, pieces: list[Piece]) -> None:
        """What looked like a call is none: its tag is text, and what followed is looked at again."""
        pieces.append(Text(self._space + CALL))
        self._held = "".join(self._body_text)
        self._body = None
        self._body_text.clear()
        self._after_tag = False

    def _give_reasoning(self, text: str, pieces: list[Piece]) -> bool:
        if self._blank and not text.strip(WHITE):
            return False
        self._blank = False
        if text:
            pieces.append(Reasoning(text))
        return True


def _certain(text: str, tags: re.Pattern[str]) -> int:
    """How much of a text without a whole tag cannot be part of one, whatever follows."""
    start = text.rfind("<")
    if start < 0:
        return len(text)
    rest = text[start:]
    partial = any(tag.startswith(rest) for tag in tags.pattern.split("|"))
    return start if partial else len(text)
