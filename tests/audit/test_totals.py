import pytest

from tithe.audit.totals import measure_totals


def measured(bench):
    return bench.run(lambda: measure_totals(bench.probe))


def test_known_times_come_back(bench):
    figures = measured(bench(base_s=0.02, uncached_token_s=0.0001, decode_s=0.003)).figures
    assert [row.wanted for row in figures.lengths] == [10, 16, 20]
    for row in figures.lengths:
        uncached = 256 + 60 - 256
        assert row.total_s.value == pytest.approx(0.02 + 0.0001 * uncached + 0.003 * (row.wanted - 1))
        assert row.decode_tokens_per_s.value == pytest.approx(1 / 0.003)
        assert row.itc_p50_s == pytest.approx(0.003)
        assert (row.generated, row.fell_short, row.failed) == (row.wanted, 0, 0)


@pytest.mark.parametrize(("wanted", "told"), [(25, False), (26, True)])
def test_a_p99_between_chunks_takes_a_hundred_of_them(bench, wanted, told):
    """Four answers of 25 tokens have 96 times between chunks, of 26 tokens a hundred."""
    rows = measured(bench(plan={"totals": (wanted,)}, decode_s=0.003)).figures.lengths
    (row,) = (row for row in rows if row.wanted == wanted)
    assert row.itc_p50_s == pytest.approx(0.003)
    assert row.itc_p99_s == (pytest.approx(0.003) if told else None)


def test_the_chat_figure_hides_the_wait_for_a_short_answer(bench):
    """Half a second before every first token: spread over 64 tokens it looks small, over 16 it is not."""
    chat = measured(bench(base_s=0.5, uncached_token_s=0.0, decode_s=0.001)).figures.chat
    assert chat.tokens_per_s.value == pytest.approx(64 / (0.5 + 63 * 0.001))
    assert chat.predicted_step_s == pytest.approx(16 / chat.tokens_per_s.value)
    assert chat.measured_step_s.value == pytest.approx(0.5 + 15 * 0.001)
    assert chat.misjudged == pytest.approx(chat.measured_step_s.value / chat.predicted_step_s)
    assert chat.misjudged > 3


def test_short_answers_are_asked_again_and_then_told(bench):
    made = bench(ends_after=12)
    totals = measured(made)
    by_length = {row.wanted: row for row in totals.figures.lengths}
    assert (by_length[10].generated, by_length[10].fell_short) == (10, 0)
    assert (by_length[20].generated, by_length[20].fell_short) == (12, 4)
    again = [sample for sample in totals.samples if sample.wanted == 20]
    assert {len(sample.attempts) for sample in again} == {1 + made.plan.reasks}
    # The chat figure's own prompts stay uncached when they are asked again.
    chat = [one for sample in totals.samples if sample.chat for one in sample.attempts]
    assert {one.cached_tokens for one in chat} == {0}
    # A step that came out at 12 tokens is compared with what the figure says of 12.
    figure = totals.figures.chat
    assert figure.predicted_step_s == pytest.approx(12 / figure.tokens_per_s.value)


def test_without_usage_there_is_no_rate_and_no_prediction(bench):
    chat = measured(bench(reports_usage=False)).figures.chat
    assert (chat.tokens_per_s, chat.predicted_step_s, chat.misjudged) == (None, None, None)
    assert chat.measured_step_s is not None


def test_failed_calls_are_counted_apart(bench):
    figures = measured(bench(fails_every=3)).figures
    assert sum(row.failed for row in figures.lengths) + figures.chat.figures.failed == 5
    assert all(row.total_s.n + row.failed == 4 for row in figures.lengths)


def test_reasoning_counts_to_ttft_and_not_to_visible_ttft(bench):
    row = measured(bench(base_s=0.02, uncached_token_s=0.0, decode_s=0.01, reasons=5)).figures.lengths[0]
    assert row.ttft_s.value == pytest.approx(0.02)
    assert row.visible_ttft_s.value == pytest.approx(0.02 + 5 * 0.01)
    silent = measured(bench(reasons=100)).figures.lengths[0]
    assert silent.ttft_s is not None
    assert silent.visible_ttft_s is None


def test_an_endpoint_that_does_not_take_the_prompt_is_asked_once(bench):
    made = bench(context=300)
    totals = measured(made)
    assert (totals.samples, totals.extent.rounds, made.probe.calls) == ((), 0, 1)
    assert totals.refused.endswith("tokens do not fit 300.")


def test_a_chat_figure_that_does_not_fit_is_asked_for_once_and_the_steps_are_measured(bench):
    totals = measured(bench(context=330, plan={"chat_in": 1000}))
    assert totals.refused is None
    assert sum(sample.chat for sample in totals.samples) == 1
    assert all(row.total_s.n == 4 for row in totals.figures.lengths)
