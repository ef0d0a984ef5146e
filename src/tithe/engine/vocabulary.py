"""The vocabulary: text to token ids and back, exactly.

Added tokens (`<|im_start|>`, `<tool_call>`, ...) cut a text into segments, and a tokenizer encodes
each segment by itself; so segments can be encoded, remembered and replaced one by one (`session`)
and the result is what encoding the whole text would have given. That holds as long as no added token
swallows white space around it; a tokenizer where one does is encoded as one segment.

Control tokens that a *message* spells out (a web page that says `<|im_end|>`) must not become control
tokens, or a tool result could forge a turn. `guard` marks them before the template is rendered; a
marked one cuts nothing, and its mark is taken off when its segment is encoded, as plain text. (Where
the whole text is one segment the tokenizer finds the control tokens itself, and the marks stay in.)
"""

from __future__ import annotations

import json
import re
import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

import llguidance
from tokenizers import Tokenizer

from tithe.core.errors import ModelFilesError

REMEMBERED_CHARS = 8_000_000
"""Characters of encoded segments that are kept, so that a long system prompt is encoded once."""


MARK = "\ufdd0"
"""Stands behind the first character of a guarded control token. A Unicode noncharacter: never text."""


class Vocabulary:
    """A model's tokenizer.

    Args:
        path: the model's `tokenizer.json`.
        eos: ids of the tokens that end a turn.
        n_logits: how many logits the model gives; ids from `size` to there mean nothing.

    Raises `ModelFilesError` when the file cannot be read or holds more tokens than there are logits.
    """

    def __init__(self, path: Path, eos: Sequence[int], n_logits: int) -> None:
        self.eos = frozenset(eos)
        # tokenizers and llguidance raise bare Exception and ValueError for an unreadable file.
        try:
            text = path.read_text("utf-8")
            self._tokenizer = Tokenizer.from_str(text)
        except Exception as error:
            raise _unusable(path, error) from error
        self.size = 1 + max(self._tokenizer.get_vocab(with_added_tokens=True).values(), default=-1)
        if self.size > n_logits:
            raise ModelFilesError(
                f"The tokenizer {path} has {self.size} tokens but the model gives {n_logits} logits: "
                "they do not belong together. Use the tokenizer that the model was exported with."
            )
        try:
            self.for_grammars = llguidance.LLTokenizer(text, n_vocab=n_logits, eos_token=list(eos))
        except Exception as error:
            raise _unusable(path, error) from error
        added = self._tokenizer.get_added_tokens_decoder()
        self.added = {token.content: number for number, token in added.items()}
        self._added_ids = frozenset(added)
        self._hidden = {number for number, token in added.items() if token.special}
        swallows = any(token.lstrip or token.rstrip or token.single_word for token in added.values())
        whole = swallows or _alters_text(json.loads(text))
        # Of segments, control tokens are encoded by `encode_segment` itself, never by the tokenizer.
        self._tokenizer.encode_special_tokens = not whole
        self._mark = "" if whole else MARK
        names = sorted(self.added, key=len, reverse=True)
        self._cuts = None if whole or not names else re.compile("(" + "|".join(map(re.escape, names)) + ")")
        controls = sorted((t.content for t in added.values() if t.special), key=len, reverse=True)
        self._controls = re.compile("|".join(map(re.escape, controls))) if controls else None
        self._bytes: dict[int, bytes] = {}
        self._encoded: OrderedDict[str, tuple[int, ...]] = OrderedDict()
        self._encoded_chars = 0
        # Long prompts are encoded beside the event loop.
        self._lock = threading.Lock()

    def guard(self, text: str) -> str:
        """A message's text with the control tokens in it marked as mere text."""
        if self._controls is None:
            return text
        return self._controls.sub(lambda found: found.group()[0] + MARK + found.group()[1:], text)

    def segments(self, text: str) -> list[str]:
        """Cut a text at the added tokens, which are segments of their own."""
        if self._cuts is None:
            return [text] if text else []
        return [piece for piece in self._cuts.split(text) if piece]

    def encode_segment(self, segment: str) -> tuple[int, ...]:
        """The token ids of one segment."""
        if self._cuts is not None and segment in self.added:
            return (self.added[segment],)
        with self._lock:
            known = self._encoded.get(segment)
            if known is not None:
                self._encoded.move_to_end(segment)
                return known
        text = segment.replace(self._mark, "") if self._mark else segment
        ids = tuple(self._tokenizer.encode_batch_fast([text], add_special_tokens=False)[0].ids)
        with self._lock:
            if segment not in self._encoded:
                self._encoded[segment] = ids
                self._encoded_chars += len(segment)
            while self._encoded_chars > REMEMBERED_CHARS:
                self._encoded_chars -= len(self._encoded.popitem(last=False)[0])
        return ids

    def encode(self, text: str) -> list[int]:
        """The token ids of a text."""
        return [token for segment in self.segments(text) for token in self.encode_segment(segment)]

    def bytes_of(self, token: int) -> bytes:
        """The bytes that a token stands for; a part of a character may be among them."""
        known = self._bytes.get(token)
        if known is None:
            known = self.for_grammars.decode_bytes([token]) if token < self.size else b""
            self._bytes[token] = known
        return known

    def text_of(self, tokens: Sequence[int]) -> str:
        """The text of a run of tokens, with U+FFFD for what is not UTF-8."""
        return b"".join(map(self.bytes_of, tokens)).decode("utf-8", errors="replace")

    def is_hidden(self, token: int) -> bool:
        """Whether a token is a control token that never shows in an answer's text."""
        return token in self._hidden

    def is_added(self, token: int) -> bool:
        """Whether a token is an added one, at which texts are cut into segments."""
        return self._cuts is not None and token in self._added_ids


def _unusable(path: Path, error: Exception) -> ModelFilesError:
    return ModelFilesError(
        f"The tokenizer {path} cannot be used: {error}. A fast tokenizer (tokenizer.json) is needed."
    )


def _alters_text(tokenizer: dict[str, object]) -> bool:
    """Whether the tokenizer puts a space before a text's start, so that a segment is not a text."""
    found = json.dumps(tokenizer.get("pre_tokenizer")) + json.dumps(tokenizer.get("normalizer"))
    return "Metaspace" in found or "Prepend" in found or '"add_prefix_space": true' in found
