"""The ledger in sentences. A removal *saves*; it is never said that something *took* what its removal would save.

Names come from an agent, its tools and an endpoint, and pass `visible` before they are shown anywhere.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TypeVar

import msgspec

from tithe.ledger import BUCKETS, INFERENCE, Break, Bucket, Diagnosis, Ledger, ManyTasks, TaxItem, ToolRow
from tithe.report.buckets import LOOKS
from tithe.report.figures import counted, percent, seconds
from tithe.report.headline import Headline

Number = TypeVar("Number", int, float)

_LONGEST = 300
_MOST_NAMES = 4
# Of the wall clock, what a bucket has to be to be named in a sentence, or to be a reason for doubt.
_NAMED, _DOUBTFUL = 0.01, 0.1

# Of tools that one answer asked for and that were seen from outside.
TOGETHER = "whether tools of one answer ran at once is not seen, so each has all of the time until their results as its bound"

# What the headlines are about.
CLOCK, TAX, PREFIX, TOOLS, BLIND = "Wall clock", "Tax", "Prefix", "Tools", "Not seen"

TAX_NAMES = {
    "lost prefix": "lost prefix",
    "retries": "retries",
    "serial tools": "tools in series",
    "queueing": "queueing",
    "speculation": "speculation",
}
TAX_MEANINGS = {
    "lost prefix": "prompt tokens that had been paid for, computed again",
    "retries": "failed attempts and backoff",
    "serial tools": "tools that one answer asked for, one after the other",
    "queueing": "waiting at the endpoint",
    "speculation": "work that was thrown away",
}
# What a tax item's count is of.
TAX_COUNTS = {
    "lost prefix": "call",
    "retries": "failed attempt",
    "serial tools": "group",
    "queueing": "wait",
    "speculation": "run",
}


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Breaks of one cause at one place. `cost_s` None: no cost is known for any; `lost_tokens` likewise."""

    first: Break
    breaks: int
    lost_tokens: int | None
    cost_s: float | None


def visible(text: str, longest: int = _LONGEST) -> str:
    """Somebody's text on one line, with an escape in place of each character that is obeyed instead of shown."""
    line = " ".join(text.split())
    shown = "".join(
        one if one.isprintable() else one.encode("unicode_escape", "surrogatepass").decode() for one in line
    )
    return shown if len(shown) <= longest else shown[: longest - 3] + "..."


def name_list(names: Sequence[tuple[str, int]]) -> str:
    """What tasks are called, and how many are called so: the most frequent few."""
    shown = ", ".join(f"{visible(name, 28)} ({times:,})" for name, times in names[:_MOST_NAMES])
    more = len(names) - _MOST_NAMES
    return f"{shown} and {counted(more, 'other')}" if more > 0 else shown


def of_all(part: float, whole: float) -> str:
    """A share in per cent; one that is little is never called none."""
    return "<1 %" if 0 < part < 0.005 * whole else percent(part, whole)


def bound(outside: bool) -> str:
    """What stands before a figure that was seen from outside, and so is an upper bound."""
    return "≤ " if outside else ""


def reported_by(many: ManyTasks) -> str | None:
    """Which buckets' percentiles are over some of the tasks only, since the others don't report them."""
    names: dict[int, list[str]] = defaultdict(list)
    for one in many.buckets:
        if one.tasks < len(many.accounts):
            names[one.tasks].append(next(look.name for bucket, look in LOOKS.items() if bucket == one.name))
    told = "; ".join(f"{', '.join(of)}: {count:,}" for count, of in names.items())
    return (
        f"Not every task reports every bucket. Tasks that p50 and p95 are over, where fewer: {told}."
        if told
        else None
    )


def kind_name(bucket: Bucket, detail: str | None) -> str:
    """A bucket with its kind, where it has one."""
    name = LOOKS[bucket].name
    return f"{name}, {visible(detail)}" if detail is not None else name


def bucket_seconds(ledger: Ledger) -> dict[Bucket, float]:
    """The buckets that the wall clock has, in their order."""
    sums: dict[Bucket, float] = {bucket: ledger.bucket_s(bucket) for bucket in BUCKETS}
    return {bucket: value for bucket, value in sums.items() if value > 0}


def inference_seconds(ledger: Ledger) -> float:
    """Seconds in which the task waited for an answer."""
    return sum(ledger.bucket_s(bucket) for bucket in INFERENCE)


def title(ledger: Ledger) -> str:
    """What the task is called."""
    return visible(ledger.name) or ledger.task[:8]


def first_sentence(ledger: Ledger, diagnosis: Diagnosis | None = None) -> str:
    """The ledger in one sentence: how much is inference, and how much was avoidable."""
    told = f"{percent(inference_seconds(ledger), ledger.wall_s)} of {seconds(ledger.wall_s)} is inference"
    if ledger.wall_s <= 0:
        told = "The task took no time"
    return f"{told}; {avoidable(ledger, diagnosis)}."


def avoidable(ledger: Ledger, diagnosis: Diagnosis | None = None) -> str:
    """How much of the wall clock was avoidable, and by what; or that a price of it is not known."""
    if not ledger.tax and diagnosis is not None and any(one.cost_s is None for one in diagnosis.breaks):
        return "a prefix was lost, and what that cost is not known"
    if not ledger.tax:
        kinds = dict.fromkeys(TAX_NAMES[one.kind] for one in ledger.unchecked)
        unchecked = f" ({', '.join(kinds)}: not checked)" if kinds else ""
        return f"nothing of it is known to be avoidable{unchecked}"
    parts = ", ".join(f"{TAX_NAMES[item.kind]} {seconds(item.saves_s)}" for item in ledger.tax)
    return f"{seconds(ledger.tax_s)} ({of_all(ledger.tax_s, ledger.wall_s)}) was avoidable: {parts}"


def unchecked_sentences(ledger: Ledger) -> tuple[str, ...]:
    """What of the tax could not be looked for, and why."""
    return tuple(
        f"{TAX_NAMES[one.kind][:1].upper()}{TAX_NAMES[one.kind][1:]} not checked for {_answers(one.count)}: {one.why}."
        for one in ledger.unchecked
    )


def _answers(count: int) -> str:
    return f"{counted(count, 'answer')} that asked for several tools"


def tax_sentence(item: TaxItem) -> str:
    """What one avoidable part is, why, and what it saves to be without it."""
    causes = ", ".join(f"{visible(name)} {times:,}x" for name, times, _ in item.causes[:3])
    more = f" and {len(item.causes) - 3} more" if len(item.causes) > 3 else ""
    told = f" ({causes}{more})" if causes else ""
    count = counted(item.count, TAX_COUNTS[item.kind])
    return f"{TAX_MEANINGS[item.kind]}: {count}{told}; removing this saves {seconds(item.saves_s)}"


def findings(diagnosis: Diagnosis) -> tuple[Finding, ...]:
    """The breaks by cause and place, those that cost most first."""
    groups: dict[tuple[str, str], list[Break]] = defaultdict(list)
    for one in diagnosis.breaks:
        groups[one.cause, one.place].append(one)
    found = [
        Finding(
            first=group[0],
            breaks=len(group),
            lost_tokens=sum(lost) if (lost := _known(one.lost_tokens for one in group)) else None,
            cost_s=sum(costs) if (costs := _known(one.cost_s for one in group)) else None,
        )
        for group in groups.values()
    ]
    return tuple(sorted(found, key=lambda one: (-(one.cost_s or 0.0), -(one.lost_tokens or 0))))


def _known(values: Iterable[Number | None]) -> list[Number]:
    return [value for value in values if value is not None]


def finding_where(found: Finding) -> str:
    """The first call of a finding, and how many more have it."""
    first = f"step {found.first.step:,}"
    return first if found.breaks == 1 else f"{first} and {found.breaks - 1:,} more"


def finding_cost(found: Finding) -> str:
    """What a finding cost: tokens computed again, and seconds where they are known."""
    about = "about " if found.first.estimated else ""
    told: list[str] = []
    if found.lost_tokens is not None:
        told.append(f"{about}{counted(found.lost_tokens, 'token')} computed again")
    if found.cost_s is not None:
        told.append(f"cost {seconds(found.cost_s)}")
    elif found.first.why_no_cost:
        told.append(f"cost not known: {visible(found.first.why_no_cost)}")
    return ", ".join(told) or "cost not reported"


def finding_sentence(found: Finding) -> str:
    """Where, what, what to do, and what it cost."""
    where = finding_where(found)
    place = f"{where[:1].upper()}{where[1:]}, {visible(found.first.place)}"
    return f"{place}: {visible(found.first.sentence)} {visible(found.first.fix)} ({finding_cost(found)}.)"


def no_break(diagnosis: Diagnosis) -> str:
    """What a diagnosis without a finding says: that nothing broke, or that nothing could be judged."""
    calls = len(diagnosis.calls)
    if not calls:
        return "There is no call whose prompt could be judged."
    if not diagnosis.known:
        return f"Nothing to judge: none of {counted(calls, 'call')} told its prompt."
    if diagnosis.known == 1:
        return "Nothing to judge: of one call that told its prompt there is none before that it could extend."
    if diagnosis.known < calls:
        return f"Of {counted(calls, 'call')} {diagnosis.known:,} told their prompts; each extends what its session had paid for."
    return "Every call extends what its session had paid for."


def ledger_headlines(ledger: Ledger, diagnosis: Diagnosis | None) -> tuple[Headline, ...]:
    """What one takes away in ten seconds: the clock, the tax, the prefix, and what the account does not know."""
    return (
        _clock(ledger),
        _tax(ledger),
        _prefix(diagnosis),
        *_dearest_tool(ledger),
        *_blind(ledger),
    )


def _clock(ledger: Ledger) -> Headline:
    sums = sorted(bucket_seconds(ledger).items(), key=lambda one: -one[1])
    named: list[tuple[Bucket, float]] = [
        (bucket, value) for bucket, value in sums if value >= _NAMED * ledger.wall_s
    ]
    parts = ", ".join(
        f"{bound(bucket in ledger.outside)}{of_all(value, ledger.wall_s)} {LOOKS[bucket].name}"
        for bucket, value in named
    )
    share = percent(inference_seconds(ledger), ledger.wall_s)
    return Headline(
        about=CLOCK,
        outcome=seconds(ledger.wall_s),
        sentence=f"{share} of it is inference. Of all: {parts}." if parts else "The task took no time.",
        good=None,
    )


def _tax(ledger: Ledger) -> Headline:
    unchecked = unchecked_sentences(ledger)
    if not ledger.tax:
        return Headline(
            about=TAX,
            outcome="none found",
            sentence=" ".join(("Nothing is known to be avoidable.", *unchecked)),
            good=None if unchecked else True,
        )
    parts = ", ".join(f"removing {TAX_NAMES[item.kind]} saves {seconds(item.saves_s)}" for item in ledger.tax)
    rest = f"; without all of it the task takes {seconds(ledger.work_s)}"
    return Headline(
        about=TAX,
        outcome=f"{seconds(ledger.tax_s)}, {of_all(ledger.tax_s, ledger.wall_s)}",
        sentence=" ".join((f"{parts[:1].upper()}{parts[1:]}{rest}.", *unchecked)),
        good=ledger.tax_s < _NAMED * ledger.wall_s,
    )


def _prefix(diagnosis: Diagnosis | None) -> Headline:
    if diagnosis is None:
        return Headline(
            about=PREFIX, outcome="not examined", sentence="No prompts were recorded that tell.", good=None
        )
    found = findings(diagnosis)
    if not found:
        judged = diagnosis.known > 1
        return Headline(
            about=PREFIX,
            outcome="no break" if judged else "not known",
            sentence=no_break(diagnosis),
            good=judged or None,
        )
    return Headline(
        about=PREFIX,
        outcome=counted(len(diagnosis.breaks), "break"),
        sentence=finding_sentence(found[0]),
        good=False,
    )


def _dearest_tool(ledger: Ledger) -> list[Headline]:
    if not ledger.tools:
        return []
    row = max(ledger.tools, key=lambda one: one.saves_s)
    wall = ledger.bucket_s("tool")
    told = _saved_by(row)
    return [
        Headline(
            about=TOOLS,
            outcome=f"{bound('tool' in ledger.outside)}{seconds(wall)}, {of_all(wall, ledger.wall_s)}",
            sentence=f"Removing {visible(row.name, 60)} ({counted(row.runs, 'run')}) saves {told}.",
            good=None,
        )
    ]


def _saved_by(row: ToolRow) -> str:
    """What is saved without a tool, as far as that is seen."""
    if not row.outside:
        return seconds(row.saves_s)
    together = f"; {TOGETHER}" if row.together else ""
    return f"{seconds(row.saves_s)} at the most, as it was seen from outside{together}"


def _blind(ledger: Ledger) -> list[Headline]:
    unseen = ledger.bucket_s("unattributed")
    if unseen < _DOUBTFUL * ledger.wall_s or unseen <= 0:
        return []
    sentence = "Of this time nobody saw what the agent did; an agent that reports its spans tells."
    outcome = f"{seconds(unseen)}, {percent(unseen, ledger.wall_s)}"
    return [Headline(about=BLIND, outcome=outcome, sentence=sentence, good=None)]


def alerts(ledger: Ledger) -> tuple[str, ...]:
    """What is wrong with the record itself."""
    unfinished = () if ledger.finished else ("Not finished: the end of some of it was never seen.",)
    return (*unfinished, *(visible(note) for note in ledger.notes))
