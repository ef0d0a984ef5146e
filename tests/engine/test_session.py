"""Conversations: sampled ids come back with their text, and every lost prefix is noticed where it is lost."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tithe.core.message import Message, ToolCall
from tithe.core.request import Request
from tithe.engine.session import LEAVES, Sessions, Turns
from tithe.engine.template import ChatTemplate
from tithe.engine.vocabulary import Vocabulary

from . import nano

VOCABULARY = Vocabulary(nano.FILES.tokenizer, nano.FILES.eos, nano.SIZE)
TEMPLATE = ChatTemplate((nano.FOLDER / "chat_template.jinja").read_text("utf-8"), VOCABULARY.guard)
CALL, END_CALL, THINK, END_THINK = (
    VOCABULARY.added[name] for name in ("<tool_call>", "</tool_call>", "<think>", "</think>")
)


def letters(text: str) -> list[int]:
    """A text's ids letter by letter: never what a tokenizer that merges gives, always the same text."""
    return [token for letter in text for token in VOCABULARY.encode(letter)]


def system(text: str) -> Message:
    return Message(role="system", content=text)


def user(text: str) -> Message:
    return Message(role="user", content=text)


def says(text: str, **given: Any) -> Message:
    return Message(role="assistant", content=text, **given)


def rendered(*messages: Message) -> str:
    return TEMPLATE.render(Request(model="nano", messages=messages))


def contains(ids: list[int], run: list[int]) -> bool:
    return any(ids[i : i + len(run)] == run for i in range(len(ids)))


# Sampled ids.


def test_sampled_ids_are_reused_when_their_text_comes_back() -> None:
    turns = Turns(VOCABULARY)
    sampled = letters("hello there")
    assert sampled != VOCABULARY.encode("hello there")
    prompt = turns.encode(rendered(user("Hi.")), "")
    assert prompt.ids == VOCABULARY.encode(rendered(user("Hi.")))
    turns.remember(prompt, sampled)
    history = turns.encode(rendered(user("Hi."), says("hello there"), user("More.")), "")
    assert history.ids[: len(prompt.ids) + len(sampled)] == prompt.ids + sampled
    assert VOCABULARY.text_of(history.ids) == rendered(user("Hi."), says("hello there"), user("More."))


def test_they_are_not_when_the_text_differs_or_comes_after_another() -> None:
    turns = Turns(VOCABULARY)
    sampled = letters("hello there")
    turns.remember(turns.encode(rendered(user("Hi.")), ""), sampled)
    for messages in (
        (user("Hi."), says("hello there!")),
        (user("Ho."), says("hello there")),
        (system("S"), user("Hi."), says("hello there")),
    ):
        ids = turns.encode(rendered(*messages), "").ids
        assert ids == VOCABULARY.encode(rendered(*messages))
        assert not contains(ids, sampled)


def test_they_never_cross_cache_domains() -> None:
    turns = Turns(VOCABULARY)
    turns.remember(turns.encode(rendered(user("Hi.")), "a"), letters("hello there"))
    text = rendered(user("Hi."), says("hello there"))
    assert turns.encode(text, "b").ids == VOCABULARY.encode(text)
    assert turns.encode(text, "a").ids != VOCABULARY.encode(text)


def test_every_segment_of_a_turn_with_thoughts_and_calls_is_reused() -> None:
    turns = Turns(VOCABULARY)
    prompt = turns.encode(rendered(user("Hi.")), "")
    body = '\n{"name": "look", "arguments": {"at":  "things"}}\n'
    sampled = [
        THINK,
        *letters("\nwell then\n"),
        END_THINK,
        *letters("\n\nlooking\n"),
        CALL,
        *letters(body),
        END_CALL,
    ]
    turns.remember(prompt, sampled)
    call = ToolCall(id="1", name="look", arguments='{"at":  "things"}')
    turn = says("looking", reasoning="well then", tool_calls=(call,))
    history = turns.encode(rendered(user("Hi."), turn, Message(role="tool", content="42")), "")
    assert history.ids[: len(prompt.ids) + len(sampled)] == prompt.ids + sampled
    # What follows the difference is encoded anew, and what precedes it is kept.
    other = says(
        "looking", reasoning="well then", tool_calls=(ToolCall(id="1", name="look", arguments="{}"),)
    )
    ids = turns.encode(rendered(user("Hi."), other), "").ids
    assert contains(ids, letters("\n\nlooking\n"))
    assert not contains(ids, letters("things"))


def test_each_of_several_turns_is_reused() -> None:
    turns = Turns(VOCABULARY)
    messages: list[Message] = []
    paid: list[int] = []
    for i in range(4):
        messages.append(user(f"Question {i}."))
        prompt = turns.encode(rendered(*messages), "")
        assert prompt.ids[: len(paid)] == paid
        answer = f"answering {i} at length"
        paid = prompt.ids + letters(answer)
        turns.remember(prompt, letters(answer))
        messages.append(says(answer))


@settings(max_examples=100)
@given(st.text(max_size=12), st.text(max_size=12), st.lists(st.integers(0, 8191), max_size=12))
def test_whatever_was_sampled_a_prompt_says_what_was_rendered(
    asked: str, more: str, sampled: list[int]
) -> None:
    """Sampled ids that are not UTF-8, or whose text holds tags, change no text that is encoded later."""
    turns = Turns(VOCABULARY)
    sampled = [token for token in sampled if not VOCABULARY.is_hidden(token)]
    turns.remember(turns.encode(rendered(user(asked)), ""), sampled)
    text = rendered(user(asked), says(VOCABULARY.text_of(sampled)), user(more))
    plain = VOCABULARY.text_of(VOCABULARY.encode(text))
    assert VOCABULARY.text_of(turns.encode(text, "").ids) == plain


# Prefix breaks.


class Talk:
    """One session's calls, as the engine reports them."""

    def __init__(self, **given: Any) -> None:
        self.sessions = Sessions()
        self.turns = Turns(VOCABULARY)
        self.given = given

    def call(self, *messages: Message, answer: str = "fine", thoughts: str = "") -> int | None:
        request = Request(model="nano", messages=messages, **self.given)
        prompt = self.turns.encode(TEMPLATE.render(request), request.isolation)
        broken = self.sessions.break_of(request, prompt.ids)
        reasoning = [THINK, *letters(f"\n{thoughts}\n"), END_THINK, *letters("\n\n")] if thoughts else []
        output = [*reasoning, *letters(answer)]
        self.turns.remember(prompt, output)
        self.sessions.paid(request, prompt.ids + output)
        return broken


HEAD = (system("Be brief."), user("Begin."))


def test_going_on_retrying_and_branching_break_nothing() -> None:
    talk = Talk()
    assert talk.call(*HEAD, answer="one") is None
    assert talk.call(*HEAD, says("one"), user("And?"), answer="two") is None
    assert talk.call(*HEAD, says("one"), user("And?"), says("two"), user("Then?"), answer="three") is None
    # A retry, and another candidate of the same prompt.
    assert talk.call(*HEAD, says("one"), user("And?"), answer="deux") is None
    assert talk.call(*HEAD, answer="eins") is None
    # Back to the first turn, and on in another way.
    assert talk.call(*HEAD, says("one"), user("No, differently."), answer="well") is None
    # On with each candidate.
    assert talk.call(*HEAD, says("eins"), user("Und?")) is None
    assert talk.call(*HEAD, says("one"), user("And?"), says("deux"), user("Then?")) is None


def position(*messages: Message, until: str) -> int:
    """How many tokens a rendered conversation has before `until`."""
    text = rendered(*messages)
    return len(VOCABULARY.encode(text[: text.index(until)]))


def test_a_volatile_header_breaks_at_its_first_difference() -> None:
    talk = Talk()
    first = (system("At the hour x we begin."), user("Begin."))
    second = (system("At the hour y we begin."), user("Begin."))
    assert talk.call(*first, answer="one") is None
    broken = talk.call(*second, says("one"), user("And?"))
    assert broken is not None
    assert abs(broken - position(*second, until="y we begin")) <= 1


def test_reasoning_that_does_not_come_back_breaks_where_it_stood() -> None:
    talk = Talk()
    assert talk.call(*HEAD, answer="one", thoughts="let me see") is None
    broken = talk.call(*HEAD, says("one"), user("And?"))
    assert broken == len(VOCABULARY.encode(rendered(*HEAD)))
    kept = Talk()
    assert kept.call(*HEAD, answer="one", thoughts="let me see") is None
    assert kept.call(*HEAD, says("one", reasoning="let me see"), user("And?")) is None


def test_an_edited_turn_breaks_where_it_was_edited() -> None:
    talk = Talk()
    assert talk.call(*HEAD, answer="one") is None
    assert talk.call(*HEAD, says("one"), user("And?"), answer="two") is None
    edited = (*HEAD, says("uno"), user("And?"), says("two"), user("Then?"))
    assert talk.call(*edited) == position(*edited, until="uno")
    summed_up = (*HEAD, user("Summary: one and two."), user("Go on."))
    assert talk.call(*summed_up) is not None


def test_sessions_are_told_apart() -> None:
    sessions = Sessions()

    def called(text: str, **given: Any) -> int | None:
        request = Request(model="nano", messages=(system(text), user(given.pop("first", "Begin."))), **given)
        ids = VOCABULARY.encode(TEMPLATE.render(request))
        broken = sessions.break_of(request, ids)
        sessions.paid(request, ids)
        return broken

    assert called("x") is None
    assert called("y", session="other") is None
    assert called("y", isolation="other") is None
    assert called("y", first="Another task.") is None
    assert called("y") is not None


def test_only_so_many_leaves_of_a_session_are_remembered() -> None:
    talk = Talk()
    for i in range(LEAVES + 1):
        talk.call(*HEAD, answer=f"answer {i}")
    assert talk.call(*HEAD, says(f"answer {LEAVES}"), user("And?")) is None
    assert talk.call(*HEAD, says("answer 0"), user("And?")) is not None
