import msgspec

from tithe.report.figures import seconds
from tithe.report.headline import headlines


def told(report):
    return {line.about: line for line in headlines(report)}


def test_a_caching_endpoint_in_five_sentences(report):
    found = report(base_s=0.05, free_valid_every=0)
    lines = told(found)
    assert lines["Prefix cache"].outcome == "yes, from 256"
    assert "261 ms uncached, 56.0 ms cached; a cached token saves 100 µs" in lines["Prefix cache"].sentence
    # 80 tokens: 56 ms to the first, 79 ms for the others. The chat figure is 512 over 153.4 + 511 ms.
    assert lines["Agent step"].outcome == "1.30x chat's time"
    assert "80 tokens take 135 ms" in lines["Agent step"].sentence
    assert "(771 tok/s) promises 104 ms" in lines["Agent step"].sentence
    assert lines["Agent step"].good is False
    assert "free never valid in 5" in lines["Tool calls"].sentence
    assert lines["Concurrency"].outcome == "scales"
    assert "With 16 agents a step takes 1.00 times as long as with 1" in lines["Concurrency"].sentence
    assert lines["Task"].outcome == "3 of 3 solved"
    # The audit's own account of the run that it shows, whatever the expert had to write.
    assert lines["Task"].sentence.startswith(
        f"A solved one takes {seconds(found.measured.task.shown.wall_s)}, 5 steps: 8"
    )
    assert "% TTFT" in lines["Task"].sentence


def test_an_endpoint_that_does_not_cache_is_told_what_that_costs(report):
    line = told(report(caches=False))["Prefix cache"]
    assert (line.outcome, line.good) == ("no", False)
    assert "221 ms for 2,048 tokens, 100 µs a token" in line.sentence


def test_a_withheld_verdict_gives_the_reason_and_no_outcome(report):
    lines = told(report(lag=0.5))
    assert {line.outcome for line in lines.values()} == {"withheld"}
    assert all("500 ms late" in line.sentence for line in lines.values())
    assert {line.good for line in lines.values()} == {None}


def test_without_usage_nothing_is_made_up(report):
    lines = told(report(reports_usage=False))
    assert lines["Agent step"].outcome == "unclear"
    assert lines["Prefix cache"].outcome == "yes, from 256"
    assert "fairness" not in lines["Concurrency"].sentence


def test_a_step_that_the_chat_figure_foretells_is_said_in_words(report):
    assert told(report(base_s=0.001, uncached_token_s=0.0))["Agent step"].outcome == "as chat says"


def test_an_agent_among_many_is_told_in_time_and_rate(report):
    found = report()
    rows = found.measured.concurrency.figures
    few, many = rows[0], rows[-1]
    slow = msgspec.structs.replace(
        many,
        step_s=msgspec.structs.replace(many.step_s, value=2.5 * few.step_s.value),
        ttft_p50_s=msgspec.structs.replace(many.ttft_p50_s, value=1.8 * few.ttft_p50_s.value),
        agent_tokens_per_s=msgspec.structs.replace(
            many.agent_tokens_per_s, value=0.38 * few.agent_tokens_per_s.value
        ),
    )
    crowd = msgspec.structs.replace(found.measured.concurrency, figures=(*rows[:-1], slow))
    verdicts = tuple(
        msgspec.structs.replace(verdict, outcome="slows") if verdict.about == "concurrency" else verdict
        for verdict in found.verdicts
    )
    measured = msgspec.structs.replace(found.measured, concurrency=crowd)
    line = told(msgspec.structs.replace(found, measured=measured, verdicts=verdicts))["Concurrency"]
    assert (line.outcome, line.good) == ("slows", False)
    assert "2.50 times as long" in line.sentence
    assert "TTFT 1.8 times, an agent's rate 0.38 of it" in line.sentence


def test_a_task_is_told_by_what_became_of_it(report):
    none = told(report(solves=()))["Task"]
    assert (none.outcome, none.good) == ("0 of 3 solved", None)
    assert none.sentence.startswith("An unsolved one takes")
    assert "16 steps" in none.sentence
    assert told(report(solves=(1,)))["Task"].outcome == "1 of 3 solved"
    failed = told(report(fails_after=60))["Task"]
    assert failed.outcome == "not measured"
    assert "not asked: the audit had given up by then" in failed.sentence


def test_what_of_the_cached_ttft_may_be_the_client_s_is_said(report):
    found = report(base_s=0.002, uncached_token_s=0.00001)
    cached = found.measured.pairs.figures.longest.cached_ttft_s.value
    floor = found.client.judgements["cache"].floor_s
    assert floor > cached / 5
    assert f"{seconds(cached)} cached (of which up to {seconds(floor)} the client's)" in (
        told(found)["Prefix cache"].sentence
    )
