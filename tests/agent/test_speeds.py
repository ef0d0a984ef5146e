"""What an agent has seen of its endpoint and its tools."""

import pytest

from tithe.agent import CallTime, Speeds, ToolTime
from tithe.agent.speeds import KEPT


def test_an_audit_s_calls_stand_in_with_this_agent_s_answer_lengths():
    speeds = Speeds([CallTime(0.5, 6.3, 64)])  # a tenth of a second a token
    assert speeds.calls.seconds == (pytest.approx(6.8),), "nothing is known yet of how long answers are here"
    speeds.saw_call(CallTime(0.4, 1.0, 11))
    assert speeds.calls.seconds == (pytest.approx(1.4), pytest.approx(1.5))
    assert speeds.ttft.seconds == (0.4, 0.5)


def test_a_call_whose_tokens_are_not_reported_took_what_it_took():
    speeds = Speeds([CallTime(0.5, 2.0)])
    speeds.saw_call(CallTime(0.4, 1.0, 11))
    assert speeds.calls.seconds == (pytest.approx(1.4), pytest.approx(2.5))


def test_an_audit_s_calls_make_room_for_real_ones():
    speeds = Speeds([CallTime(9.0, 0.0, 1)] * 100)
    assert len(speeds.calls.seconds) == KEPT
    for made in range(1, KEPT + 1):
        speeds.saw_call(CallTime(1.0, 0.0, 1))
        assert speeds.calls.seconds == (1.0,) * made + (9.0,) * (KEPT - made)


def test_tools_that_are_known_stand_in_for_the_tools_of_a_step():
    speeds = Speeds([ToolTime("search", 0.2), ToolTime("run_tests", 8.0)])
    assert speeds.tools.seconds == (0.2, 8.0)
    assert speeds.by_tool["run_tests"].seconds == (8.0,)
    speeds.saw_tool("search", 0.3)
    speeds.saw_tools_of_a_step(0.3)
    assert speeds.tools.seconds == (0.3,), "what a step takes is seen now"
    assert speeds.tool("search").seconds == (0.2, 0.3)
