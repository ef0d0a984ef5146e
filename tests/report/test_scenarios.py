import io
import re

import msgspec
from rich.console import Console

from tithe.net.conformance import SCENARIOS, TOLERANCE_S, Finding, Findings, Run, SelfTest, chosen, judge
from tithe.report import print_scenarios, print_self_test
from tithe.report.scenarios import asked, told


def printed(show, what, width: int = 80) -> str:
    out = io.StringIO()
    show(what, Console(file=out, width=width, no_color=True))
    return out.getvalue()


def result(**told_in: Findings) -> SelfTest:
    """A client that tells the truth, but for what is given; underscores stand for hyphens."""
    rulings = []
    for scenario in SCENARIOS:
        found = told_in.get(scenario.name.replace("-", "_"), scenario.truth)
        lag = 0.5 if scenario.name == "many-streams" else 0.001
        rulings.append(judge(scenario, [Run(findings=found, loop_lag_s=lag)]))
    return SelfTest(tithe="0", tolerance_s=TOLERANCE_S, rulings=tuple(rulings))


def test_who_tells_the_truth_holds() -> None:
    text = printed(print_self_test, result())
    assert f"The client holds in all {len(SCENARIOS)} scenarios." in text
    assert "WRONG" not in text
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "event loop 500 ms" in " ".join(text.split())


def test_what_is_wrong_is_told_with_what_goes_wrong_elsewhere() -> None:
    early = msgspec.structs.replace(chosen("role-first")[0].truth.attempts[0], ttft_s=0.02)
    slow = tuple(
        msgspec.structs.replace(one, ttft_s=0.09) for one in chosen("many-streams")[0].truth.attempts
    )
    text = printed(
        print_self_test, result(role_first=Findings(attempts=(early,)), many_streams=Findings(attempts=slow))
    )
    flat = " ".join(text.split())
    assert "role-first: attempt 1 ttft_s: true 80.0 ms, told 20.0 ms." in flat
    assert "Known from elsewhere: The first chunk holds only a role" in flat
    assert "many-streams: not told: this machine was too busy, 500 ms late." in flat
    assert (
        f"The client holds in {len(SCENARIOS) - 2} of {len(SCENARIOS)} scenarios; 1 wrong, 1 not told" in flat
    )
    assert re.search(r"role-first .*WRONG", text)
    assert re.search(r"many-streams .*not told", text)
    assert "16 x TTFT 90" in text


def test_a_client_that_tells_too_few_or_too_many_attempts_is_shown_as_it_is() -> None:
    truth = chosen("refused-then-served")[0].truth
    one = Finding(outcome="answered", ttft_s=0.13)
    assert told(Findings(attempts=(one,)), truth) == "answered\nstatistics not told"
    assert told(Findings(attempts=(one,) * 3), truth).count("TTFT 130") == 2


def test_findings_in_words() -> None:
    words = {scenario.name: told(scenario.truth, scenario.truth) for scenario in SCENARIOS}
    assert words["reasoning"] == "TTFT 60, visible 160, total 160 ms; tokens 12, reasoning 10"
    assert words["cached-missing"] == "tokens 3, cached n/r"
    assert words["queue-not-told"] == "TTFT 100 ms, queue n/r"
    assert words["refused-then-served"] == "failed, HTTP 500\nTTFT 50 ms\n1 counted, 1 apart, p50 50 ms"
    assert words["json-in-prose"] == "parse"


def test_what_to_ask_in_words() -> None:
    words = {scenario.name: asked(scenario.asking) for scenario in SCENARIOS}
    assert words["role-first"] == "once"
    assert words["open-loop"] == "4 times, one due each 30 ms"
    assert words["cache-that-expires"] == "3 steps of an agent, tools of 20 ms and 400 ms between"
    assert words["json-valid"] == "once, for JSON text of a schema"


def test_scenarios_are_printed_whole() -> None:
    text = printed(print_scenarios, tuple(scenario.brief for scenario in SCENARIOS))
    assert "…" not in text
    assert '"additionalProperties":false' in text.replace("\n", "").replace(" ", "")
