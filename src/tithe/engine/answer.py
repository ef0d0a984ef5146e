"""An answer: one choice's sampled tokens turned into text, reasoning and tool calls as they come.

Bytes become text when they are whole characters; text that may be the beginning of a stop string is
held back until it is one (the answer ends before it) or is not.
"""

from __future__ import annotations

import codecs
import secrets
from collections.abc import Sequence

from tithe.core.event import Delta, ReasoningDelta, TextDelta, TokenLogprob, ToolCallDelta, TopLogprob
from tithe.engine.sampler import Scored
from tithe.engine.vocabulary import Vocabulary
from tithe.wire.output import CallArguments, CallOpened, OutputParser, Piece, Reasoning, Text


class Answer:
    """What one choice has said.

    Attributes:
        reasoning_tokens: how many of its tokens were reasoning.
        has_calls: whether it opened a tool call.
    """

    def __init__(self, vocabulary: Vocabulary, index: int, stop: Sequence[str], parser: OutputParser) -> None:
        self._vocabulary = vocabulary
        self._index = index
        self._stop = [text for text in stop if text]
        self._parser = parser
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._held = ""
        self._pieces: list[Piece] = []
        self._logprobs: list[TokenLogprob] = []
        self.reasoning_tokens = 0
        self.has_calls = False

    def push(self, token: int, scored: Scored | None) -> bool:
        """Take a sampled token; True when a stop string was completed by it."""
        inside = self._parser.reasoning
        if scored is not None:
            self._logprobs.append(self._logprob(scored))
        text = (
            ""
            if self._vocabulary.is_hidden(token)
            else self._decoder.decode(self._vocabulary.bytes_of(token))
        )
        stopped = self._say(text) if self._stop else self._parse(text)
        self.reasoning_tokens += inside or self._parser.reasoning
        return stopped

    def end(self, *, stopped: bool) -> None:
        """Nothing follows: give out what was held back, unless it is part of a stop string."""
        if not stopped:
            self._parse(self._held + self._decoder.decode(b"", final=True))
        self._held = ""
        self._collect(self._parser.flush())

    def drain(self, at: float) -> list[Delta]:
        """The deltas since the last drain, stamped `at`."""
        index = self._index
        deltas: list[Delta] = []
        for piece in _joined(self._pieces):
            logprobs = self._take_logprobs()
            match piece:
                case Text(text):
                    deltas.append(TextDelta(at=at, index=index, text=text, logprobs=logprobs))
                case Reasoning(text):
                    deltas.append(ReasoningDelta(at=at, index=index, text=text, logprobs=logprobs))
                case CallOpened(call, name):
                    new = f"call_{secrets.token_hex(12)}"
                    deltas.append(
                        ToolCallDelta(at=at, index=index, call=call, id=new, name=name, logprobs=logprobs)
                    )
                case CallArguments(call, text):
                    deltas.append(
                        ToolCallDelta(at=at, index=index, call=call, arguments=text, logprobs=logprobs)
                    )
        self._pieces.clear()
        return deltas

    def _say(self, text: str) -> bool:
        self._held += text
        found = [(at + len(stop), at) for stop in self._stop if (at := self._held.find(stop)) >= 0]
        if found:
            # The one that is complete first, so that it does not matter how tokens cut the text.
            self._parse(self._held[: min(found)[1]])
            return True
        keep = max(_overlap(self._held, stop) for stop in self._stop)
        out, self._held = self._held[: len(self._held) - keep], self._held[len(self._held) - keep :]
        return self._parse(out)

    def _parse(self, text: str) -> bool:
        if text:
            self._collect(self._parser.feed(text))
        return False

    def _collect(self, pieces: list[Piece]) -> None:
        self.has_calls = self.has_calls or any(isinstance(piece, CallOpened) for piece in pieces)
        self._pieces.extend(pieces)

    def _take_logprobs(self) -> tuple[TokenLogprob, ...]:
        taken = tuple(self._logprobs)
        self._logprobs.clear()
        return taken

    def _logprob(self, scored: Scored) -> TokenLogprob:
        top = tuple(TopLogprob(*self._shown(token), logprob) for token, logprob in scored.top)
        return TokenLogprob(*self._shown(scored.token), scored.logprob, top)

    def _shown(self, token: int) -> tuple[str, bytes]:
        data = self._vocabulary.bytes_of(token)
        return data.decode("utf-8", errors="replace"), data


def _joined(pieces: list[Piece]) -> list[Piece]:
    """The same pieces, with neighbours of one kind made one."""
    joined: list[Piece] = []
    for piece in pieces:
        match (joined[-1] if joined else None, piece):
            case (Text(before), Text(text)):
                joined[-1] = Text(before + text)
            case (Reasoning(before), Reasoning(text)):
                joined[-1] = Reasoning(before + text)
            case (CallArguments(call, before), CallArguments(same, text)) if call == same:
                joined[-1] = CallArguments(call, before + text)
            case _:
                joined.append(piece)
    return joined


def _overlap(text: str, stop: str) -> int:
    """The longest end of `text` that is a beginning of `stop`, and not all of it."""
    for n in range(min(len(text), len(stop) - 1), 0, -1):
        if stop.startswith(text[-n:]):
            return n
    return 0
