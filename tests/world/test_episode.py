"""An episode moves on by the model's answers alone, and always ends."""

from tithe.core import Message, ToolCall
from tithe.world import FAMILIES, Episode, make_task, open_world, solve
from tithe.world.task import NO_CALL, OVER


def _asks(*calls: tuple[str, str]) -> Message:
    return Message(
        role="assistant",
        tool_calls=tuple(ToolCall(id=f"c{i}", name=n, arguments=a) for i, (n, a) in enumerate(calls)),
    )


def test_the_experts_answers_lead_to_its_conversation_and_success() -> None:
    for family in FAMILIES:
        transcript = solve(make_task(family, 3, "held_out"))
        answers = [message for message in transcript.messages if message.role == "assistant"]
        with open_world(transcript.task) as world:
            episode = Episode(world)
            for answer in answers:
                assert not episode.over
                episode.take(answer)
            assert episode.over
            assert episode.messages == transcript.messages
            assert (episode.answers, episode.idle) == (len(answers), 0)
        assert world.succeeded


def test_an_answer_without_a_call_is_told_so_and_counts_as_a_step() -> None:
    task = make_task("lookup", 0, "train")
    with open_world(task) as world:
        episode = Episode(world)
        while not episode.over:
            episode.take(Message(role="assistant", content="Let me think."))
        assert episode.messages[-1] == Message(role="user", content=NO_CALL)
        assert episode.idle == episode.answers == world.steps == task.step_limit
        assert world.faults == 0


def test_the_calls_of_one_answer_run_in_order_each_a_step() -> None:
    with open_world(make_task("lookup", 0, "train")) as world:
        episode = Episode(world)
        episode.take(
            _asks(("calc", '{"expression": "2 + 3"}'), ("finish", '{"answer": "5"}'), ("calc", "{}"))
        )
        told = episode.messages[-3:]
        assert [message.content for message in told] == ["5", "Finished.", OVER]
        assert [message.tool_call_id for message in told] == ["c0", "c1", "c2"]
        assert (world.steps, world.faults, episode.answers) == (2, 0, 1)


def test_calls_that_cannot_be_run_are_counted_as_faults() -> None:
    with open_world(make_task("lookup", 0, "train")) as world:
        episode = Episode(world)
        episode.take(_asks(("calc", "{"), ("grep", "{}"), ("calc", '{"sum": "1"}'), ("calc", "[]")))
        assert (world.steps, world.faults) == (4, 4)
        # A file that is not there is no fault of the call's form.
        episode.take(_asks(("read_file", '{"path": "none"}')))
        assert (world.steps, world.faults) == (5, 4)
