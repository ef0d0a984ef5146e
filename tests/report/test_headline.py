from tithe.report.headline import headlines


def told(report):
    return {line.about: line for line in headlines(report)}


def test_a_caching_endpoint_in_five_sentences(report):
    lines = told(report(base_s=0.05, free_valid_every=0))
    assert lines["Prefix cache"].outcome == "yes, from 256"
    assert "261 ms uncached, 56.0 ms cached; a cached token saves 100 µs" in lines["Prefix cache"].sentence
    # 80 tokens: 56 ms to the first, 79 ms for the others. The chat figure is 512 over 153.4 + 511 ms.
    assert lines["Agent step"].outcome == "1.30x chat"
    assert "80 tokens take 135 ms" in lines["Agent step"].sentence
    assert "(771 tok/s) promises 104 ms" in lines["Agent step"].sentence
    assert lines["Agent step"].good is False
    assert "free never valid in 5" in lines["Tool calls"].sentence
    assert lines["Concurrency"].outcome == "scales"
    assert "10 steps" in lines["Task"].sentence


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
