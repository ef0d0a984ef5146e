"""Scenarios of the conformance suite: what is asked and true in each, and what a client made of it."""

from collections.abc import Sequence

import msgspec
from msgspec import UNSET, UnsetType
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from tithe.net.conformance import Asking, Brief, Finding, Findings, Ruling, SelfTest, Summary
from tithe.report.figures import NOT_REPORTED, seconds
from tithe.report.tables import calm_table

_VERDICTS = {
    "right": Text("ok", "green"),
    "wrong": Text("WRONG", "bold red"),
    "busy": Text("not told", "yellow"),
}
_TIMES = {
    "ttft_s": "TTFT",
    "visible_ttft_s": "visible",
    "total_s": "total",
    "queue_s": "queue",
    "latency_s": "since due",
}
_COUNTS = {"output_tokens": "tokens", "reasoning_tokens": "reasoning", "cached_tokens": "cached"}
_INDENT = 2


def print_self_test(result: SelfTest, console: Console) -> None:
    """Print every scenario's truth beside what the client told, and what is wrong; for 80 columns and wider."""
    console.print()
    console.print(Text.assemble(("tithe audit --self-test", "bold"), f"  our client, version {result.tithe}"))
    console.print()
    table = _table("#", "scenario", "true", "our client told", "")
    for ruling in result.rulings:
        truth = ruling.scenario.truth
        table.add_row(
            str(ruling.scenario.pitfall),
            ruling.scenario.name,
            told(truth, truth),
            told(ruling.told, truth),
            _VERDICTS[ruling.outcome],
        )
    console.print(table, highlight=False)
    console.print()
    for ruling in result.rulings:
        for line in _faults(ruling):
            console.print(Padding(line, (0, 0, 0, _INDENT)), highlight=False)
    for line in _notes(result):
        console.print(Padding(Text(line, style="dim"), (0, 0, 0, _INDENT)), highlight=False)
    console.print()
    console.print(Text(_outcome(result), style="bold"), highlight=False)


def print_scenarios(scenarios: Sequence[Brief], console: Console) -> None:
    """Print what goes wrong elsewhere, what to ask and what is then true, a scenario each."""
    for scenario in scenarios:
        form = scenario.asking.form
        console.print()
        console.print(Text.assemble((scenario.name, "bold"), f"  pitfall {scenario.pitfall}"))
        block = Table.grid(padding=(0, 2))
        block.add_column(no_wrap=True)
        block.add_column(overflow="fold")
        block.add_row("elsewhere", scenario.wrong)
        block.add_row("ask", asked(scenario.asking))
        if form is not None:
            block.add_row(form.kind, f"{form.name} {msgspec.json.encode(form.schema).decode()}")
        block.add_row("true", told(scenario.truth, scenario.truth))
        console.print(Padding(block, (0, 0, 0, _INDENT)), highlight=False, markup=False)
    console.print()
    console.print(
        Text("Times count from the request's last byte. n/r: not reported, and not zero.", style="dim")
    )


def _table(*heads: str) -> Table:
    table = calm_table(*heads)
    for column in table.columns[2:]:
        column.no_wrap = False
    for column in table.columns:
        column.justify, column.vertical = "left", "top"
    table.columns[-1].no_wrap = True
    return table


def asked(asking: Asking) -> str:
    """What a client has to do, in words."""
    calls = "once" if asking.calls == 1 else f"{asking.calls} times"
    match asking.how:
        case "in turn":
            said = calls if asking.calls == 1 else f"{calls}, in turn; a refusal too is an attempt"
        case "at once":
            said = f"{calls}, at once"
        case "on schedule":
            said = f"{calls}, one due each {_ms(asking.every_s)}"
        case "copies":
            said = f"{asking.calls} copies of a prompt, salted"
        case "steps":
            tools = " and ".join(_ms(tool) for tool in asking.tools_s)
            said = f"{asking.calls} steps of an agent, tools of {tools} between"
    if asking.form is None:
        return said
    return f"{said}, for {'JSON text of a schema' if asking.form.kind == 'json' else 'a tool call'}"


def told(findings: Findings, truth: Findings) -> str:
    """Findings in words, as far as the truth asks for them; attempts alike are told once, by the worst of them."""
    asked_of = truth.attempts
    if len(findings.attempts) == len(asked_of) and len(asked_of) > 1 and len(set(asked_of)) == 1:
        worst = _worst(findings.attempts, asked_of[0])
        lines = [f"{len(asked_of)} x {_attempt(worst, asked_of[0])}"]
    else:
        # A client that tells more attempts than there were is shown them as it tells the last true one.
        lines = [
            _attempt(one, asked_of[min(place, len(asked_of) - 1)])
            for place, one in enumerate(findings.attempts)
        ]
    if isinstance(truth.summary, Summary):
        lines.append(_summary(findings.summary))
    return "\n".join(lines)


def _attempt(found: Finding, truth: Finding) -> str:
    if found.outcome != "answered":
        return found.outcome + (f", HTTP {found.status}" if isinstance(found.status, int) else "")
    times = [
        f"{name} {_time(getattr(found, field), field)}"
        for field, name in _TIMES.items()
        if getattr(truth, field) is not UNSET
        # Where nothing is hidden the visible TTFT is the TTFT, and an answer of one token is over with it.
        and not (field in ("visible_ttft_s", "total_s") and getattr(found, field) == found.ttft_s)
    ]
    if truth.gaps_s is not UNSET:
        times.append(f"gaps {_gaps(found.gaps_s, truth.gaps_s)}")
    counts = [
        f"{name} {_count(getattr(found, field))}"
        for field, name in _COUNTS.items()
        if getattr(truth, field) is not UNSET
    ]
    if truth.validity is not UNSET:
        counts.append(f"{found.validity}" if isinstance(found.validity, str) else "no class")
    last = max((place for place, time in enumerate(times) if time[-1].isdigit()), default=None)
    if last is not None:
        times[last] += " ms"
    return "; ".join(filter(None, (", ".join(times), ", ".join(counts)))) or found.outcome


def _summary(found: Summary | UnsetType) -> str:
    if not isinstance(found, Summary):
        return "statistics not told"
    p50 = f", p50 {_ms(found.ttft_p50_s)}" if found.ttft_p50_s is not None else ""
    return f"{found.counted} counted, {found.apart} apart{p50}"


def _worst(found: Sequence[Finding], truth: Finding) -> Finding:
    """Of attempts that should be alike, one with the time furthest off in each field."""
    worst = next((one for one in found if one.outcome != truth.outcome), found[0])
    times: dict[str, object] = {}
    for field in _TIMES:
        true = getattr(truth, field)
        given = [time for one in found if isinstance(time := getattr(one, field), float)]
        if isinstance(true, float) and given:
            times[field] = max(given, key=lambda time, true=true: abs(time - true))
    gaps = [one.gaps_s for one in found if one.gaps_s is not UNSET]
    if truth.gaps_s is not UNSET and gaps:
        times["gaps_s"] = max(gaps, key=lambda one: _off(one, truth.gaps_s))
    return msgspec.structs.replace(worst, **times)


def _off(gaps: Sequence[float], truth: Sequence[float] | UnsetType) -> float:
    if truth is UNSET:
        return 0.0
    return max((abs(gap - true) for gap, true in zip(gaps, truth, strict=False)), default=0.0)


def _gaps(gaps: tuple[float, ...] | UnsetType, truth: tuple[float, ...]) -> str:
    """The gap furthest off, in milliseconds."""
    if gaps is UNSET:
        return "not told"
    pairs = list(zip(gaps, truth, strict=False))
    return f"{max(pairs, key=lambda pair: abs(pair[0] - pair[1]))[0] * 1e3:.0f}" if pairs else "none"


def _time(value: object, field: str) -> str:
    """Milliseconds, without their unit."""
    if isinstance(value, float):
        return f"{value * 1e3:.0f}"
    return "not told" if value is UNSET else NOT_REPORTED if field == "queue_s" else "none"


def _count(value: object) -> str:
    return "not told" if value is UNSET else NOT_REPORTED if value is None else str(value)


def _ms(value: float) -> str:
    return f"{value * 1e3:.0f} ms"


def _faults(ruling: Ruling) -> list[Text]:
    lines: list[Text] = []
    wrong = [fault for fault in ruling.faults if fault.outcome == "wrong"]
    for fault in wrong:
        said = f"{ruling.scenario.name}: {fault.what}: true {fault.true}, told {fault.told}."
        lines.append(Text(said, style="red"))
    if wrong:
        lines.append(Text(f"Known from elsewhere: {ruling.scenario.wrong}", style="red"))
    elif ruling.outcome == "busy":
        late = seconds(ruling.loop_lag_s + ruling.server_late_s)
        lines.append(
            Text(f"{ruling.scenario.name}: not told: this machine was too busy, {late} late.", style="yellow")
        )
    return lines


def _notes(result: SelfTest) -> list[str]:
    runs = max((len(ruling.runs) for ruling in result.rulings), default=0)
    loop = max((ruling.loop_lag_s for ruling in result.rulings), default=0.0)
    server = max((ruling.server_late_s for ruling in result.rulings), default=0.0)
    off = [ruling.off_s for ruling in result.rulings if ruling.off_s is not None]
    bound = seconds(result.tolerance_s)
    held = f"Times are medians of {runs} runs, held to {bound} and the lag of those runs ({bound} of it at most)."
    furthest = f" Furthest off: {seconds(max(off))}." if off else ""
    worst = f"the client's event loop {seconds(loop)}, the scripted server {seconds(server)}"
    return [held + furthest, f"The worst lag of any run: {worst}."]


def _outcome(result: SelfTest) -> str:
    n = len(result.rulings)
    wrong = sum(ruling.outcome == "wrong" for ruling in result.rulings)
    busy = sum(ruling.outcome == "busy" for ruling in result.rulings)
    if not wrong and not busy:
        return f"The client holds in all {n} scenarios."
    untold = f", {busy} not told: this machine was too busy" if busy else ""
    return f"The client holds in {n - wrong - busy} of {n} scenarios; {wrong} wrong{untold}."
