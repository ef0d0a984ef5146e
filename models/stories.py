"""Plain conversations for the mix: a prompt that asks for a very long text, and an answer without end.

What times a generation of a set length asks for one, and a model that has learnt nothing but tool calls
would end after a dozen tokens. Here it learns to go on: sentences of the words that it was given.
"""

import random

from tithe.audit.prompt import KEEP_WRITING, WORDS
from tithe.core import Message
from tithe.world.words import THINGS_OF, invented

_ASKS = (
    KEEP_WRITING,
    KEEP_WRITING,
    "Write a very long story with these words.",
    "Tell a story that uses all of these words, as long as you can.",
    "Write on and on about these.",
)
_FORMS = (
    "The {0} and the {1} were near the {2}.",
    "A {0} has a {1}, and the {2} is behind it.",
    "Then the {0} came to the {1}.",
    "There was no {0} without a {1}.",
    "They saw the {0}, the {1} and the {2}.",
    "Again the {0} went by.",
    "Where the {0} is, the {1} is not.",
)
_ANSWER_WORDS = 90


def story(seed: int) -> tuple[Message, ...]:
    """Perhaps a system prompt of words, a goal of words, perhaps a turn and a result; an answer cut short."""
    draw = random.Random(f"story/{seed}")
    words = draw.sample(WORDS, 20) + draw.sample(THINGS_OF["train"], 4) + [invented(draw, "train")]
    messages = [Message(role="system", content=_some(draw, words))] if draw.random() < 0.6 else []
    messages.append(Message(role="user", content=f"{_some(draw, words)}. {draw.choice(_ASKS)}"))
    if draw.random() < 0.4:
        messages.append(Message(role="assistant", content=_told(draw, words, 20)))
        messages.append(
            Message(role="user", content=f"Tool result: {_some(draw, words)}. {draw.choice(_ASKS)}")
        )
    messages.append(Message(role="assistant", content=_told(draw, words, _ANSWER_WORDS)))
    return tuple(messages)


def _some(draw: random.Random, words: list[str]) -> str:
    return " ".join(draw.choice(words) for _ in range(draw.randint(8, 40)))


def _told(draw: random.Random, words: list[str], length: int) -> str:
    sentences: list[str] = []
    while sum(map(len, sentences)) < 6 * length:
        sentences.append(draw.choice(_FORMS).format(*draw.sample(words, 3)))
    return " ".join(sentences)
