"""The prompts of a replay: messages of the recorded lengths, with the recorded prefixes in common, and no text of anyone's.

A run of text (prompt_shape.py) is words in the order that the replay's salt and the run's key draw (core/words.py). Equal
runs are equal text within a replay, and share nothing with any other replay of the task: no false cache hit.

How many words make so many tokens is calibrated. What is still off then (a template's tokens around each message, an answer
of another length than recorded) is put right in a prompt's last run, from what the endpoint reported of the longest earlier
prompt that this one goes on from. So errors do not add up along a task.
"""

import random
from collections.abc import Sequence

import msgspec

from tithe.core import Message, Request
from tithe.core.words import KEEP_WRITING, words
from tithe.whatif.prompt_shape import CallShape, MessageShape, Run, ShapeRole
from tithe.whatif.survey import AROUND, Ground
from tithe.wire.chat_request import decode_request


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the endpoint answered a call of the replay with. None: not reported."""

    text: str
    prompt_tokens: int | None = None
    output_tokens: int | None = None


class ReplayPrompts:
    """Makes the messages of a replay's calls, one after the other. `salt` is fresh for every replay."""

    def __init__(self, ground: Ground, salt: str) -> None:
        self._calibration = ground.calibration
        self._asking = ground.asking
        self._salt = salt
        self._texts: dict[tuple[Run, ...], str] = {}
        self._runs: dict[Run, str] = {}
        self._answers: dict[str, Answer] = {}
        self._asked: list[tuple[tuple[str, ...], int]] = []  # prompts so far, and their tokens as reported

    def messages(self, shape: CallShape) -> tuple[Message, ...]:
        """The messages of a call whose prompt has that shape."""
        *before, last = shape.messages
        texts = [self._text(message) for message in before]
        if last.runs not in self._texts:
            self._texts[last.runs] = self._last_text(last, before, texts, shape.input_tokens)
        return _merged([*before, last], [*texts, self._texts[last.runs]])

    def heard(self, call: str, shape: CallShape, answer: Answer, *, of_ours: bool) -> None:
        """A call, by its recorded span's id, was answered. `of_ours`: it was asked with the messages made here."""
        self._answers[call] = answer
        if of_ours and answer.prompt_tokens is not None:
            self._asked.append((tuple(self._text(one) for one in shape.messages), answer.prompt_tokens))

    def _text(self, message: MessageShape) -> str:
        if message.answer_of is not None:
            answer = self._answers.get(message.answer_of)
            if answer is not None and answer.text:
                return answer.text
        if message.runs not in self._texts:
            self._texts[message.runs] = " ".join(filter(None, map(self._run, message.runs)))
        return self._texts[message.runs]

    def _run(self, run: Run) -> str:
        if run not in self._runs:
            # Rounded up or down by the key, so that many short runs are together as long as they should be.
            exact = run.tokens / self._calibration.tokens_a_word
            count = int(exact + random.Random(run.key).random())
            self._runs[run] = words(count, self._salt, run.key)
        return self._runs[run]

    def _last_text(
        self, last: MessageShape, before: Sequence[MessageShape], texts: Sequence[str], tokens: int
    ) -> str:
        """The message that brings a prompt to `tokens`, and asks for a long answer where there is room for that."""
        room = tokens - self._tokens(before, texts)
        asks = room > self._asking
        left = round((room - self._asking * asks) / self._calibration.tokens_a_word)
        said: list[str] = []
        for run in last.runs[:-1]:
            text = self._run(run).split()[: max(0, left)]
            said += text
            left -= len(text)
        if left > 0 or not said:
            said.append(words(max(1, left), self._salt, last.runs[-1].key))
        return f"{' '.join(said)}. {KEEP_WRITING}" if asks else " ".join(said)

    def _tokens(self, shapes: Sequence[MessageShape], texts: Sequence[str]) -> float:
        """About how many tokens a prompt of these messages has, with a further one that is empty."""
        whole, known, told = tuple(texts), 0, 0.0
        for earlier, reported in self._asked:
            if known < len(earlier) <= len(whole) and whole[: len(earlier)] == earlier:
                known, told = len(earlier), float(reported)
        if not known:
            told = self._calibration.overhead - AROUND
        return (
            AROUND
            + told
            + sum(
                AROUND + self._length(shape, text)
                for shape, text in zip(shapes[known:], texts[known:], strict=True)
            )
        )

    def _length(self, shape: MessageShape, text: str) -> float:
        answer = self._answers.get(shape.answer_of) if shape.answer_of is not None else None
        if answer is not None and answer.text == text and answer.output_tokens is not None:
            return float(answer.output_tokens)
        return self._calibration.tokens_a_word * len(text.split())


def recorded_request(body: bytes, model: str, salt: str) -> Request:
    """The request of a recorded body of the Chat Completions API, for another model.

    The salt stands before the first message: nothing that an earlier replay of it left in a cache is found again.
    Raises `InvalidRequest` where the body is none of that API's.
    """
    request = decode_request(body).request
    first, *rest = request.messages
    salted = msgspec.structs.replace(first, content=f"[{salt}] {first.content or ''}")
    return msgspec.structs.replace(
        request, model=model, messages=(salted, *rest), session=None, isolation="", extra={}
    )


def _merged(shapes: Sequence[MessageShape], texts: Sequence[str]) -> tuple[Message, ...]:
    """One message for all that stand beside each other with one role, which is what templates take.

    Templates have a system message at the start alone; a later one is a user's.
    """
    roles: list[ShapeRole] = []
    for shape in shapes:
        later = shape.role == "system" and any(role != "system" for role in roles)
        roles.append("user" if later else shape.role)
    merged: list[Message] = []
    for role, text in zip(roles, texts, strict=True):
        if merged and merged[-1].role == role:
            text = "\n\n".join(filter(None, (merged.pop().content, text)))
        merged.append(Message(role=role, content=text))
    return tuple(merged)
