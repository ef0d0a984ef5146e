"""The sliders: the projection's program, run in the page wherever they are put."""

from collections.abc import Iterator, Mapping, Sequence

from tithe.report.buckets import PARTS
from tithe.report.drawing import Account, Slider, Sliders
from tithe.report.figures import counted, seconds
from tithe.report.ledger_rows import unit_of
from tithe.report.ledger_words import visible
from tithe.report.page import Figure, Panel
from tithe.report.whatif import spread_told
from tithe.trace.buckets import BUCKETS
from tithe.whatif import Interval, Program, Projection, Settings, run

ANCHOR = "sliders"
# How far a slider reaches to either side of where it stands, in times, and how far past what was recorded, where that is farther off;
# what can be typed reaches farther.
_FAR, _NEAR, _PAST = 50.0, 5.0, 1.5
_MOST_RETRIES, _MOST_TOOLS = 50.0, 2.0
# A difference from the projection that is worth a sentence.
_SHOWS = 5e-4


def sliders_figure(found: Projection, program: Program) -> Figure:
    """Sliders for what the program has, all of them as projected."""
    unit = unit_of((found.before_s, found.wall.mean))
    drawing = Sliders(
        program=program,
        sliders=tuple(_sliders(found, program)),
        accounts=tuple(_accounts(found)),
        parts=PARTS,
        unit=unit.name,
        scale=unit.scale,
    )
    return Figure(
        anchor=ANCHOR,
        title="Move what you would change",
        panels=(
            Panel(
                title="The projected task, where the sliders stand",
                drawing=drawing,
                empty="Nothing can be moved.",
            ),
        ),
        reading="The last bar is what the projected task takes on average where the sliders stand. Unmoved they are the projection.",
        caption=tuple(_caption(found, program)),
        formulas=(
            "call = candidates’ factor × (undivided + queue and prefill × TTFT / projected TTFT + decode × projected rate / rate)",
            "retries = failures projected, or what calls take × (p / (1 − p)), by the share p that fails",
            "wall clock = along the path of what is waited for: Σ calls + retries + tools × factor + all else",
        ),
        tables=(),
    )


def _sliders(found: Projection, program: Program) -> Iterator[Slider]:
    median = "Of the median call; every other call’s goes in proportion."
    if program.ttft_s is not None:
        scale, unit = (1.0, "s") if program.ttft_s >= 10 else (1e3, "ms")
        initial = program.ttft_s * scale
        shortest, longest = _reach(found, ("queue", "prefill"))
        yield Slider(
            key="ttft_s", name="TTFT", unit=unit, scale=scale, initial=initial,
            low=initial * shortest, high=initial * longest,
            least=0.0, most=3600.0 * scale, steps="log", hint=f"Queueing included. {median}",
        )  # fmt: skip
    if program.tokens_per_s is not None:
        initial = program.tokens_per_s
        shortest, longest = _reach(found, ("decode",))
        yield Slider(
            key="tokens_per_s", name="Decode rate", unit="tokens/s", scale=1.0, initial=initial, low=initial / longest,
            high=initial / shortest, least=0.001, most=1e6, steps="log", hint=median,
        )  # fmt: skip
    initial = 100 * program.retries
    yield Slider(
        key="retries", name="Retry rate", unit="% fail", scale=100.0, initial=initial, low=0.0,
        high=_MOST_RETRIES if initial <= _MOST_RETRIES else 90.0, least=0.0, most=90.0, steps="linear",
        hint="Share of attempts that fail. "
        + ("Each costs what those projected do." if program.retries else "None did: each would take what its call takes."),
    )  # fmt: skip
    most = float(len(program.tasks[0].slower))
    alike = all(one == 1 for task in program.tasks for one in task.slower)
    yield Slider(
        key="candidates", name="Candidates", unit="at once", scale=1.0, initial=float(program.candidates), low=1.0,
        high=most, least=1.0, most=most, steps="whole",
        hint="Answers asked for at each step; the slowest is waited for. "
        + ("Nothing tells how calls scatter, so several take what one does." if alike else ""),
    )  # fmt: skip
    if found.after.get("tool", 0.0) > 0 or found.before.get("tool", 0.0) > 0:
        yield Slider(
            key="tools", name="Tools’ time", unit="× recorded", scale=1.0, initial=program.tools, low=0.0,
            high=max(_MOST_TOOLS, 2 * program.tools), least=0.0, most=1000.0, steps="linear",
            hint="Every tool takes so many times as long as before.",
        )  # fmt: skip


def _reach(found: Projection, buckets: Sequence[str]) -> tuple[float, float]:
    """From how many to how many times as long as projected a slider has these; what they took before is among it."""
    before, after = (sum(account.get(one, 0.0) for one in buckets) for account in (found.before, found.after))
    times = before / after if before > 0 and after > 0 else 1.0
    return min(1 / _FAR, times / _PAST), max(_NEAR, times * _PAST)


def _accounts(found: Projection) -> Iterator[Account]:
    def columns(account: Mapping[str, float]) -> tuple[float, ...]:
        return tuple(account.get(bucket, 0.0) for bucket in BUCKETS)

    [first, *more] = found.tasks
    for name, one in (
        (f"all {len(found.tasks):,} tasks" if more else visible(first.name, 48), found),
        *((f"{visible(task.name, 48)} ({task.task[:8]})", task) for task in (found.tasks if more else ())),
    ):
        yield Account(
            name=name,
            before_s=one.before_s,
            projected_s=one.wall.mean,
            spread=_spread(one.wall),
            before=columns(one.before),
            projected=columns(one.after),
        )


def _spread(wall: Interval) -> str:
    told = spread_told(wall)
    return f"median {seconds(wall.p50)}, {told}" if told else ""


def _caption(found: Projection, program: Program) -> Iterator[str]:
    if len(found.tasks) > 1:
        yield f"The sliders act on all {len(found.tasks):,} tasks alike; choose one to see it alone. Medians are of all their calls."
    yield (
        "There is no chance in the last bar: calls take what they take on average in the projection’s draws. So it has no interval; "
        "run the command with other flags for that."
    )
    yield (
        "TTFT and rate change every call in proportion, while --ttft and --tps give every call the same: on calls that differ these are "
        "two changes. Candidates are told at the projected times."
    )
    if found.sharing:
        yield "What other agents slow calls down by stays as projected, wherever the sliders stand."
    if program.ttft_s is None or program.tokens_per_s is None:
        what = " and ".join(
            name
            for name, value in (("TTFT", program.ttft_s), ("decode rate", program.tokens_per_s))
            if value is None
        )
        yield f"No {what} above zero is known of any call, so there is no slider for it."
    if program.undivided:
        yield (
            f"{counted(program.undivided, 'answer')} came in one piece and cannot be told apart: TTFT and rate leave them as they are."
        )
    unmoved = run(program, Settings()).wall_s
    if abs(unmoved - found.wall.mean) > _SHOWS * found.wall.mean:
        yield (
            f"Unmoved, the last bar is {seconds(unmoved)}, and the projection’s mean {seconds(found.wall.mean)}: where branches run at "
            "once, each draw waits for the slower one, and averages do not show how much that is."
        )
