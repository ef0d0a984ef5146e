import itertools

import pytest

from tithe.audit.observation import Observation, Stamp
from tithe.audit.pairs import PairSample, measure_pairs, pairs_figures


def measured(bench):
    return bench.run(lambda: measure_pairs(bench.probe))


def test_known_prices_come_back(bench):
    """TTFT = 10 ms + 0.2 ms an uncached token + 0.02 ms a cached one: a cached token is worth 0.18 ms."""
    pairs = measured(bench(base_s=0.01, uncached_token_s=0.0002, cached_token_s=0.00002))
    figures = pairs.figures
    assert figures.caching == "caches"
    assert figures.caches_from == 128
    assert figures.token_worth_s.value == pytest.approx(0.00018)
    assert figures.uncached_token_s.value == pytest.approx(0.0002)
    for row in figures.lengths:
        # 10 tokens of template, the prefix, a tail of 50.
        assert row.prompt_tokens == row.length + 60
        assert row.uncached_ttft_s.value == pytest.approx(0.01 + 0.0002 * (row.length + 60))
        assert row.saved_s.value == pytest.approx(0.00018 * row.cached_tokens)
        assert row.failed == 0


def test_both_arms_of_a_length_are_equally_long_and_interleaved(bench):
    pairs = measured(bench())
    assert {sample.observation.prompt_tokens for sample in pairs.samples if sample.length == 512} == {572}
    arms = [sample.arm for sample in pairs.samples]
    blocks = 1 + sum(one != other for one, other in itertools.pairwise(arms))
    assert blocks > len(arms) / 4
    assert [(s.length, s.arm) for s in measured(bench()).samples] == [
        (s.length, s.arm) for s in pairs.samples
    ]


def test_fresh_salts_never_meet_a_cache(bench):
    pairs = measured(bench())
    cached = {sample.arm: set() for sample in pairs.samples}
    for sample in pairs.samples:
        cached[sample.arm].add(sample.observation.cached_tokens)
    assert cached["uncached"] == {0}
    assert min(cached["cached"]) >= 128


def test_an_endpoint_that_never_caches_is_said_not_to(bench):
    figures = measured(bench(caches=False)).figures
    assert figures.caching == "does_not_cache"
    assert figures.caches_from is None
    assert figures.token_worth_s.value == pytest.approx(0.0)
    assert {row.cached_tokens for row in figures.lengths} == {0.0}


def test_where_prefill_costs_nothing_caching_cannot_be_told_from_time(bench):
    figures = measured(bench(uncached_token_s=0.0)).figures
    assert figures.caching == "unclear"


def test_it_caches_from_the_block_size_on(bench):
    figures = measured(bench(block=400)).figures
    assert figures.caching == "caches"
    assert figures.caches_from == 512
    assert [row.pays for row in figures.lengths] == [False, True, True]


def test_unreported_cached_tokens_are_not_reported(bench):
    figures = measured(bench(reports_cached=False)).figures
    assert {row.cached_tokens for row in figures.lengths} == {None}
    assert figures.caching == "caches"
    figures = measured(bench(reports_usage=False)).figures
    assert {row.prompt_tokens for row in figures.lengths} == {None}
    assert figures.caching == "caches"


def test_failed_calls_are_counted_apart_and_break_only_their_pair(bench):
    pairs = measured(bench(fails_every=3, uncached_token_s=0.0002))
    failed = [sample for sample in pairs.samples if not sample.observation.answered]
    assert len(failed) == 8
    assert sum(row.failed for row in pairs.figures.lengths) == 8
    for row in pairs.figures.lengths:
        assert row.uncached_ttft_s.n + row.cached_ttft_s.n + row.failed == 8
        assert row.uncached_ttft_s.value == pytest.approx(0.01 + 0.0002 * (row.length + 60))


def sample(arm: str, repeat: int, ttft: float) -> PairSample:
    seen = Observation(
        label="x", begun=0.0, sent=0.0, ended=9.0, finish="stop", stamps=(Stamp(ttft, "text"),)
    )
    return PairSample(length=512, arm=arm, repeat=repeat, observation=seen)


@pytest.mark.parametrize(
    ("saved", "pays"),
    [
        ([0.1, 0.1, 0.1, 0.1, 0.1], True),
        # As large in the middle, and as likely to cost as to save.
        ([0.5, -0.4, 0.1, -0.3, 0.6], False),
        # Certain, and not worth a word.
        ([0.01, 0.01, 0.01, 0.01, 0.01], False),
    ],
)
def test_a_length_pays_when_the_saving_is_certain_and_worth_it(saved, pays):
    samples = [sample("uncached", n, 1.0) for n in range(5)]
    samples += [sample("cached", n, 1.0 - less) for n, less in enumerate(saved)]
    figures = pairs_figures(tuple(samples), seed=0)
    assert figures.lengths[0].pays is pays
    assert figures.caching == ("caches" if pays else "unclear")


def test_figures_follow_from_the_samples_alone(bench):
    pairs = measured(bench())
    assert pairs_figures(pairs.samples, seed=0) == pairs.figures


def test_a_length_beyond_the_context_is_told_apart_and_does_not_hide_the_verdict(bench):
    pairs = measured(bench(context=600))
    figures = pairs.figures
    refused = figures.lengths[-1]
    assert (refused.length, refused.failed, refused.saved_s) == (1024, 0, None)
    assert refused.refused.endswith("tokens do not fit 600.")
    assert {sample.length for sample in pairs.samples} == {128, 512}
    assert [row.refused for row in figures.lengths[:-1]] == [None, None]
    assert figures.longest.length == 512
    assert (figures.caching, figures.caches_from) == ("caches", 128)
    assert figures.token_worth_s.value == pytest.approx(0.0001)


def test_without_an_answer_there_is_no_verdict(bench):
    pairs = measured(bench(repeats=3, context=1))
    figures = pairs.figures
    assert (pairs.samples, pairs.extent.rounds, len(figures.lengths)) == ((), 0, 3)
    assert (figures.longest, figures.caching, figures.token_worth_s) == (None, "unclear", None)


def test_a_refused_length_does_not_keep_the_others_from_being_precise(bench):
    plan = {"least_repeats": 4, "precision": 0.5}
    extent = measured(bench(repeats=20, context=600, plan=plan)).extent
    assert (extent.rounds, extent.ended) == (4, "precise")
