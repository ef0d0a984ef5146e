"""A recorded task's shape, run for real against an endpoint.

What is kept of the task: its calls in the order and with the dependence of the ledger's timing (a span waits for all that
had ended when it began, trace/timing.py), their prompts' lengths and common prefixes (prompt_shape.py), their answers'
lengths, and what lay between: tools, checks and the framework's own time are slept, tools scaled if asked. What is not:
waiting for people, unless asked; gaps that nothing accounts for, beyond a length; failed attempts and backoff, unless asked, since an endpoint can't be made to fail again.

An answer's length is bounded by `max_tokens`, and forced by `min_tokens` where the endpoint takes that field (vLLM, SGLang
and the embedded endpoint do). What came shorter all the same is counted and told.

The replay is recorded as any task is, with the recorded span's id in `tithe.replay_of`.
"""

import statistics
from collections.abc import Callable, Mapping, Sequence

import msgspec

from tithe.core import Anchor, Backend, Clock, Recorder, new_id
from tithe.core.errors import TitheError
from tithe.core.part import Part
from tithe.trace.records import TaskRecord
from tithe.trace.tree import build_tree
from tithe.whatif.prompt_shape import CallShape, call_shapes
from tithe.whatif.replay_prompts import ReplayPrompts
from tithe.whatif.replay_run import ReplayOptions, ReplayRun, Script
from tithe.whatif.survey import Ground, survey

_WORTH_TELLING_S = 0.05  # of gaps that were left out


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """A replay. `made` of `calls` calls were answered; `failure` is what ended it before its end.

    `record` is the replay as a recorded task; `forced`: the endpoint takes the fields that force an answer's length.
    """

    record: TaskRecord
    calls: int
    made: int
    forced: bool
    notes: tuple[str, ...]
    failure: TitheError | None = None


async def replay(
    record: TaskRecord,
    backend: Backend,
    clock: Clock,
    options: ReplayOptions,
    *,
    recorder: Recorder | None = None,
    prompts: Mapping[str, Sequence[Part]] | None = None,
    content: Callable[[str], bytes | None] | None = None,
    salt: str | None = None,
    on_call: Callable[[str], None] | None = None,
) -> Replayed:
    """Run a task's shape against `backend`, whose events are stamped on `clock`.

    Three short calls go before it: they open the connection, find how many tokens words have there, and whether an answer's
    length can be forced. A `TitheError` of a call ends the replay; what there was until then is in the result.

    Args:
        recorder: gets every span when it begins and when it ends.
        prompts: the fingerprints of the task's prompts, by span (`Store.prompts`).
        content: gives the recorded request body of a span, where it was kept (`Store.content`).
        salt: what keeps this replay's text apart from every other's; None: a fresh one.
        on_call: is told of each call when it has ended.

    Raises:
        ValueError: the record has no span.
        TitheError: what the endpoint answered the calls that go before with.
    """
    salt = salt if salt is not None else new_id()
    tree = build_tree(record.spans)
    ground = await survey(backend, clock, options.model, salt)
    shapes = call_shapes(tree.root, prompts or {})
    script = Script(
        shapes=shapes,
        prompts=ReplayPrompts(ground, salt),
        content=content or (lambda _: None),
        salt=salt,
        ground=ground,
    )
    name = _name(record)
    run = ReplayRun(backend, clock, options, script, name=name, recorder=recorder, on_call=on_call)
    await run.task(tree)
    return Replayed(
        record=TaskRecord(
            id=run.trace,
            anchor=Anchor.take(clock.now()),
            source="replay",
            name=name,
            session=None,
            spans=tuple(run.spans.values()),
        ),
        calls=run.calls,
        made=run.made,
        forced=ground.forcing,
        notes=(*tree.notes, *_notes(run, shapes, ground)),
        failure=run.failure,
    )


def _name(record: TaskRecord) -> str:
    return f"replay of {record.name or record.session or record.id[:8]}"


def _notes(run: ReplayRun, shapes: Mapping[str, CallShape], ground: Ground) -> tuple[str, ...]:
    """What a reader has to know of how the replay was made, a sentence each."""
    assumed = {what: sum(what in one.assumed for one in shapes.values()) for what in ("prompt", "answer")}
    short = [come / wanted for wanted, come in run.lengths if come < wanted]
    rest = "; the rest with words of the same lengths" if run.replayed_content < run.asked else ""
    told = [
        (run.replayed_content, f"made with the recorded messages{rest}."),
        (
            run.unread_content,
            "whose recorded request cannot be read as Chat Completions: replayed with words.",
        ),
        (assumed["prompt"], "whose prompt's length was not reported, and was assumed."),
        (assumed["answer"], "whose answer's length was not reported, and was assumed."),
        (
            len(short),
            f"whose answers ended before the recorded length, the middle one of them at {statistics.median(short or [1]):.0%} of it.",
        ),
    ]
    notes = [f"{count} {'call' if count == 1 else 'calls'} {says}" for count, says in told if count]
    if run.people_s and not run.options.people:
        notes.append(f"{run.people_s:.1f} s of waiting for people were not waited again.")
    if run.cut_s >= _WORTH_TELLING_S:
        notes.append(f"{run.cut_s:,.1f} s of gaps that nothing accounts for were left out.")
    if run.failed and not run.options.retries:
        notes.append(f"{run.failed} failed {'attempt' if run.failed == 1 else 'attempts'} left out.")
    if not ground.calibration.reported:
        notes.append("The endpoint reports no prompt tokens: 1.3 tokens a word were assumed.")
    return tuple(notes)
