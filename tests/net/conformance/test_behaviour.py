import pytest

from tithe.net.conformance.behaviour import InTurn, OneAtATime, Player, PromptCache
from tithe.net.scripted import Reply

A, B = Reply(head_after=0.1), Reply(head_after=0.2, chunks=((0.3, b"x"),))
HIT, MISS = Reply(head_after=0.25), Reply(head_after=0.5)


def test_in_turn_begins_again_after_the_last() -> None:
    player = Player(InTurn((A, B)))
    assert [player.reply((), 0.0) for _ in range(3)] == [A, B, A]


def test_one_at_a_time_waits_for_those_before() -> None:
    player = Player(OneAtATime(B))
    heads = [player.reply((), now).head_after for now in (10.0, 10.25, 12.0)]
    assert heads == pytest.approx([0.2, 0.2 + 0.25, 0.2])


def test_a_cache_of_whole_prompts_knows_exact_repeats_alone() -> None:
    player = Player(PromptCache(hit=HIT, miss=MISS, whole=True))
    asked = [(b"a",), (b"a", b"b"), (b"a",), (b"b",)]
    assert [player.reply(messages, 0.0) for messages in asked] == [MISS, MISS, HIT, MISS]


def test_a_cache_of_prefixes_knows_what_extends_them() -> None:
    player = Player(PromptCache(hit=HIT, miss=MISS))
    asked = [(b"a",), (b"a", b"b"), (b"b", b"a"), (b"a", b"c")]
    assert [player.reply(messages, 0.0) for messages in asked] == [MISS, HIT, MISS, HIT]


def test_what_is_not_used_is_forgotten_and_its_time_runs_from_the_answer_s_end() -> None:
    player = Player(PromptCache(hit=HIT, miss=MISS, lives_s=1.0))
    at = [0.0, 1.5, 2.75, 4.25]
    assert [player.reply((b"a",), now) for now in at] == [MISS, HIT, HIT, MISS]
