import itertools
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tithe.core.exchange import SeenAnswer, SeenRequest
from tithe.core.part import Part, PartRole, fingerprint
from tithe.trace.grouping import Grouper, Placement

SYSTEM = "You are an agent that mends software with the tools it has."
GOAL = "Mend the test that fails in the folder of parsers, please."


def long(text: str) -> str:
    """A message long enough to be told from others."""
    return f"{text}: " + "what was found there, at some length. " * 3


def request(
    *messages: str,
    system: str = SYSTEM,
    tools: Sequence[str] = ("read", "write"),
    session: str | None = None,
    previous: str | None = None,
    attempt: int | None = None,
) -> SeenRequest:
    """`messages` begin with u, a or t for user, assistant, tool; the first letter is the role."""
    roles: dict[str, PartRole] = {"u": "user", "a": "assistant", "t": "tool"}
    parts: list[Part] = [
        fingerprint(name, place=f"tools[{at}]", role="tool_definition", name=name)
        for at, name in enumerate(tools)
    ]
    parts.append(fingerprint(system, place="messages[0]", role="system"))
    parts += [
        fingerprint(text[1:], place=f"messages[{at}]", role=roles[text[0]])
        for at, text in enumerate(messages, 1)
    ]
    return SeenRequest(
        api="chat",
        parts=tuple(parts),
        has_tools=bool(tools),
        session=session,
        previous=previous,
        attempt=attempt,
    )


def answer(
    text: str = "", *, tools: int = 0, named: str | None = None, error: str | None = None
) -> SeenAnswer:
    return SeenAnswer(
        id=named,
        error=error,
        tool_calls=tuple((f"call_{at}", "read") for at in range(tools)),
        parts=(fingerprint(text, place="answer", role="assistant"),) if text else (),
    )


def grouper(*, nested: bool = True, limit: int = 100_000) -> Grouper:
    numbers = itertools.count()
    return Grouper(nested=nested, limit=limit, ids=lambda: f"id{next(numbers)}")


def ask(grouping: Grouper, *messages: str, say: str = "", asks: int = 0, **named: Any) -> Placement:
    """A request that is answered before anything else comes."""
    placed = grouping.place(request(*messages, **named))
    grouping.answered(placed.call, answer(say, tools=asks))
    return placed


def test_a_loop_is_one_task_of_calls_that_extend_each_other() -> None:
    grouping = grouper()
    first = ask(grouping, "u" + GOAL, say="one", asks=1)
    second = ask(grouping, "u" + GOAL, "aone", "tfound", say="two", asks=1)
    third = ask(grouping, "u" + GOAL, "aone", "tfound", "atwo", "tmore", "uand be quick")
    assert [each.relation for each in (first, second, third)] == ["new", "extends", "extends"]
    assert first.task == second.task == third.task
    assert len({each.call for each in (first, second, third)}) == 3
    assert third.branch is None
    assert first.new_roles == ("user",)
    assert second.new_roles == ("assistant", "tool")
    assert third.new_roles == ("assistant", "tool", "user")


def test_a_system_prompt_and_tools_alone_bind_nothing() -> None:
    grouping = grouper()
    tasks = {ask(grouping, f"ugoal {number} of many").task for number in range(5)}
    assert len(tasks) == 5


def test_examples_that_begin_every_prompt_bind_nothing() -> None:
    grouping = grouper()
    examples = ["u" + long("first"), "a" + long("answer"), "u" + long("second"), "a" + long("another")]
    tasks = {ask(grouping, *examples, f"uitem {number}", say=f"label {number}").task for number in range(5)}
    assert len(tasks) == 5


def test_a_clock_in_the_system_prompt_parts_no_task() -> None:
    grouping = grouper()
    first = ask(grouping, "u" + GOAL, system="It is 2026-01-01 10:00:00. Help.", say="one")
    second = ask(grouping, "u" + GOAL, "uand?", system="It is 2026-01-01 10:00:07. Help.")
    assert (second.task, second.relation) == (first.task, "extends")


def test_other_agents_that_take_up_a_conversation_stay_in_it_and_those_with_its_goal_alone_do_not() -> None:
    grouping = grouper()
    first = ask(grouping, "u" + GOAL, say="planned")
    handed = ask(grouping, "u" + GOAL, "aplanned", "ugo on", system="You carry plans out.")
    apart = ask(grouping, "u" + GOAL, system="You judge goals.")
    assert (handed.task, handed.relation) == (first.task, "extends")
    assert apart.task != first.task


def test_retries_are_attempts_of_one_call() -> None:
    grouping = grouper()
    placed = [grouping.place(request("u" + GOAL))]
    for error in ("429", "client_closed", None):
        grouping.answered(placed[-1].call, answer("fine", error=error))
        if error:
            placed.append(grouping.place(request("u" + GOAL)))
    assert {(each.task, each.call) for each in placed} == {(placed[0].task, placed[0].call)}
    assert [each.relation for each in placed] == ["new", "retry", "retry"]
    assert [each.attempt for each in placed] == [0, 1, 2]
    again = ask(grouping, "u" + GOAL)
    assert again.relation == "repeat"
    assert (again.task, again.call != placed[0].call) == (placed[0].task, True)


def test_the_clients_own_count_makes_a_retry_of_what_seems_to_run_still() -> None:
    grouping = grouper()
    first = grouping.place(request("u" + GOAL, attempt=0))
    second = grouping.place(request("u" + GOAL, attempt=1))
    assert (second.call, second.relation) == (first.call, "retry")


def test_each_of_several_failed_candidates_is_retried_once() -> None:
    grouping = grouper()
    calls = [grouping.place(request("u" + GOAL)) for _ in range(3)]
    for each in calls:
        grouping.answered(each.call, answer(error="429"))
    again = [grouping.place(request("u" + GOAL)) for _ in range(3)]
    assert sorted(each.call for each in again) == sorted(each.call for each in calls)
    assert {each.relation for each in again} == {"retry"}


def test_the_same_request_in_flight_is_a_candidate_in_a_branch() -> None:
    grouping = grouper()
    before = ask(grouping, "u" + GOAL, say="one", asks=1)
    history = ("u" + GOAL, "aone", "tfound")
    first, second = grouping.place(request(*history)), grouping.place(request(*history))
    assert (first.branch, first.relation) == (None, "extends")
    assert (second.relation, second.branch_of) == ("repeat", before.call)
    assert second.branch is not None
    grouping.answered(first.call, answer("left"))
    grouping.answered(second.call, answer("right"))
    further = ask(grouping, *history, "aright", "ugo on")
    assert (further.branch, further.relation) == (second.branch, "extends")


def test_ways_that_go_on_at_once_are_branches_and_those_that_follow_are_edits() -> None:
    grouping = grouper()
    root = ask(grouping, "u" + GOAL, say="one")
    left = grouping.place(request("u" + GOAL, "aone", "uleft"))
    right = grouping.place(request("u" + GOAL, "aone", "uright"))
    assert (left.branch, right.branch_of, right.relation) == (None, root.call, "extends")
    grouping.answered(left.call, answer("done"))
    grouping.answered(right.call, answer("done"))
    last = ask(grouping, "u" + GOAL, "aone", "uneither")
    assert (last.relation, last.branch, last.task) == ("edited", None, root.task)
    assert last.new_roles == ("assistant", "user")


def test_a_request_that_holds_the_running_calls_answer_is_no_branch() -> None:
    # The end of an answer may be seen here later than by the agent.
    grouping = grouper()
    first = grouping.place(request("u" + GOAL))
    second = grouping.place(request("u" + GOAL, "aone", "tfound"))
    assert (second.branch, second.relation, second.task) == (None, "extends", first.task)


def test_an_edited_history_stays_on_its_line() -> None:
    grouping = grouper()
    first = ask(grouping, "u" + GOAL, say="one", asks=1)
    ask(grouping, "u" + GOAL, "aone, thinking", "tfound", say="two", asks=1)
    edited = ask(grouping, "u" + GOAL, "aone", "tfound", "atwo", "tmore")
    assert (edited.task, edited.relation, edited.branch) == (first.task, "edited", None)


def test_a_compacted_history_is_known_by_what_the_conversation_produced() -> None:
    grouping = grouper()
    first = ask(grouping, "u" + GOAL, say=long("one"), asks=1)
    ask(grouping, "u" + GOAL, "a" + long("one"), "t" + long("found"), say=long("two"), asks=1)
    compacted = ask(grouping, "uSo far: one thing.", "a" + long("two"), "tmore")
    assert (compacted.task, compacted.relation, compacted.branch) == (first.task, "compacted", None)
    assert compacted.new_roles == ("tool",)
    further = ask(grouping, "uSo far: one thing.", "a" + long("two"), "tmore", "ago", "uon")
    assert (further.task, further.relation) == (first.task, "extends")


def test_short_messages_bind_nothing() -> None:
    grouping = grouper()
    first = ask(grouping, "uone goal", say="ok")
    ask(grouping, "uone goal", "aok", "ucontinue", say="done")
    other = ask(grouping, "uanother goal", "aok", "ucontinue")
    assert other.task != first.task


def test_a_session_is_one_task_whatever_it_says() -> None:
    grouping = grouper(nested=False)
    first = ask(grouping, "u" + GOAL, session="s1", say="one")
    summary = ask(grouping, "uThis goes on from a summary.", session="s1")
    title = ask(grouping, "uA title for this?", session="s1", system="You name things.", tools=())
    other = ask(grouping, "u" + GOAL, "aone", "ugo on", session="s2")
    assert (summary.task, summary.relation, summary.branch) == (first.task, "compacted", None)
    assert (title.task, title.relation, title.branch_of) == (first.task, "new", summary.call)
    assert other.task != first.task


def test_a_sub_agent_under_its_parents_session_is_a_branch_of_the_call_that_asked() -> None:
    grouping = grouper(nested=False)
    parent = ask(grouping, "u" + GOAL, session="s1", say="one", asks=1)
    child = ask(grouping, "ulook around", session="s1", say="looked", asks=1)
    child_on = ask(grouping, "ulook around", "alooked", "tseen", session="s1", say="that is all")
    parent_on = ask(grouping, "u" + GOAL, "aone", "tthat is all", session="s1")
    assert (child.task, child.relation, child.branch_of) == (parent.task, "new", parent.call)
    assert (child_on.branch, child_on.relation) == (child.branch, "extends")
    assert (parent_on.branch, parent_on.relation) == (None, "extends")


def test_a_sub_agent_without_a_session_is_found_in_one_commands_recording_alone() -> None:
    for nested in (True, False):
        grouping = grouper(nested=nested)
        parent = ask(grouping, "u" + GOAL, say="one", asks=2)
        children = [
            ask(grouping, f"uquestion {number}", system="You search.", say="found", asks=1)
            for number in range(2)
        ]
        for child in children:
            assert (child.task == parent.task, child.branch_of == parent.call) == (nested, nested)
        assert children[0].branch != children[1].branch or not nested


def test_with_two_tasks_that_wait_a_beginning_is_a_task() -> None:
    grouping = grouper()
    tasks = {ask(grouping, f"ugoal {number} of two", asks=1).task for number in range(2)}
    assert ask(grouping, "uquestion", system="You search.").task not in tasks


def test_the_same_program_anew_is_no_sub_agent_of_itself() -> None:
    # Some frameworks take an answer as a tool call that nothing ever answers.
    grouping = grouper()
    tasks = {ask(grouping, f"ugoal number {number}", asks=1).task for number in range(4)}
    assert len(tasks) == 4


def test_a_task_that_is_run_once_more_is_another() -> None:
    grouping = grouper()
    runs: list[list[Placement]] = []
    for _ in range(3):
        first = ask(grouping, "u" + GOAL, say="one", asks=1)
        runs.append([first, ask(grouping, "u" + GOAL, "aone", "tfound", say="done")])
    assert len({run[0].task for run in runs}) == 3
    assert all(first.task == second.task for first, second in runs)


def test_a_previous_response_binds_without_any_history() -> None:
    grouping = grouper()
    first = grouping.place(request("u" + GOAL))
    grouping.answered(first.call, answer("one", tools=1, named="resp_1"))
    second = grouping.place(request("tfound", previous="resp_1"))
    grouping.answered(second.call, answer(error="500"))
    again = grouping.place(request("tfound", previous="resp_1"))
    other = grouping.place(request("tfound", previous="resp_unknown"))
    assert (second.task, second.relation) == (first.task, "extends")
    assert (again.call, again.relation) == (second.call, "retry")
    assert other.task != first.task


def test_prompts_without_messages_bind_nothing() -> None:
    grouping = grouper(nested=False)
    tasks = {ask(grouping).task for _ in range(3)} | {ask(grouping, previous="resp_unknown").task}
    assert len(tasks) == 4


def test_what_was_not_used_for_long_is_forgotten_and_what_runs_is_not() -> None:
    grouping = grouper(nested=False, limit=50)
    running = grouping.place(request("uruns all the while"))
    old = ask(grouping, "uold", session="old")
    for number in range(200):
        ask(grouping, f"ugoal {number}", "ax", "ty")
    assert ask(grouping, "uold", session="old").task != old.task
    grouping.answered(running.call, answer("so"))
    assert ask(grouping, "uruns all the while", "aso", "uand?").task == running.task
    assert grouping._size <= 60


# A conversation, as how often each of its requests fails before it is answered.
fates = st.lists(st.integers(0, 3), min_size=1, max_size=6)


@given(st.lists(st.integers(1, 6), min_size=2, max_size=4), st.randoms(use_true_random=False))
def test_interleaved_conversations_never_mix_and_every_request_is_placed_once(
    lengths: list[int], random: Random
) -> None:
    grouping = grouper()

    def play(name: int, steps: int) -> Iterator[Placement]:
        history = [f"u{long(f'goal {name}')}"]
        for step in range(steps):
            placed = grouping.place(request(*history))
            yield placed
            grouping.answered(placed.call, answer(f"{name}.{step}", tools=1))
            history += [f"a{name}.{step}", f"t{long(f'result {name}.{step}')}"]

    playing = {name: play(name, steps) for name, steps in enumerate(lengths)}
    seen: dict[int, list[Placement]] = {name: [] for name in playing}
    while playing:
        name = random.choice(sorted(playing))
        placed = next(playing[name], None)
        if placed is None:
            del playing[name]
        else:
            seen[name].append(placed)
    tasks = [{placed.task for placed in each} for each in seen.values()]
    assert all(len(each) == 1 for each in tasks)
    assert len(set.union(*tasks)) == len(lengths)
    calls = [placed.call for each in seen.values() for placed in each]
    assert len(calls) == len(set(calls)) == sum(lengths)


@given(st.lists(fates, min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_retries_never_leave_their_call(conversations: list[list[int]], random: Random) -> None:
    grouping = grouper(nested=False)

    def play(name: int, failures: list[int]) -> Iterator[tuple[int, int, Placement]]:
        history = [f"u{long(f'goal {name}')}"]
        for step, failing in enumerate(failures):
            for attempt in range(failing + 1):
                placed = grouping.place(request(*history))
                yield step, attempt, placed
                failed = attempt < failing
                grouping.answered(placed.call, answer(f"{name}.{step}", error="500" if failed else None))
            history += [f"a{name}.{step}", f"u{long(f'result {name}.{step}')}"]

    waiting = {name: play(name, failures) for name, failures in enumerate(conversations)}
    calls: dict[tuple[int, int], set[str]] = {}
    while waiting:
        name = random.choice(sorted(waiting))
        try:
            step, attempt, placed = next(waiting[name])
        except StopIteration:
            del waiting[name]
            continue
        calls.setdefault((name, step), set()).add(placed.call)
        assert placed.attempt == attempt
        assert (placed.relation == "retry") == (attempt > 0)
        assert placed.branch is None
    assert all(len(each) == 1 for each in calls.values())
    assert len(set.union(*calls.values())) == len(calls)


@given(
    st.lists(
        st.tuples(st.lists(st.sampled_from("abc"), max_size=4), st.sampled_from([None, "s"]), st.booleans()),
        max_size=30,
    ),
    st.booleans(),
)
def test_whatever_comes_is_placed_and_forgotten_whole(
    requests: list[tuple[list[str], str | None, bool]], nested: bool
) -> None:
    grouping = grouper(nested=nested, limit=0)
    running: list[Placement] = []
    for messages, session, ends in requests:
        placed = grouping.place(request(*(f"u{text}" for text in messages), session=session))
        assert (placed.branch is None) == (placed.branch_of is None)
        running.append(placed)
        if ends:
            ended = running.pop(0)
            grouping.answered(ended.call, answer("x", tools=1))
    for ended in running:
        grouping.answered(ended.call, answer("x", tools=1))
    grouping._forget()
    assert grouping._size == 0
    assert not grouping._root.children
    assert not grouping._root.calls
    assert not any((grouping._calls, grouping._sessions, grouping._responses, grouping._produced))
    assert not any((grouping._waiting, grouping._tasks))
