"""The loop of one's own that `docs/agent.md` shows: it is run as it stands there."""

import re
from pathlib import Path
from typing import Any

from tests.agent.scripted import calls, says, turn_by_turn

from tithe.core import Script, TextDelta

DOCS = Path(__file__).parents[2] / "docs" / "agent.md"


def my_loop() -> Any:
    """What the page has."""
    blocks = re.findall(r"```python\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL)
    [shown] = [block for block in blocks if "def my_loop" in block]
    names: dict[str, Any] = {}
    exec(shown, names)
    return names["my_loop"]


async def double(x: int) -> int:
    """Twice a number."""
    return 2 * x


async def test_it_calls_tools_tells_faults_and_answers():
    backend = turn_by_turn(
        calls(("double", '{"x": "four"}')), says(" "), calls(("double", '{"x": 4}')), says("It is 8.")
    )
    assert await my_loop()(backend, "m", [double], "goal", 10) == "It is 8."
    told = [(message.role, message.content) for message in backend.requests[-1].messages]
    assert told == [
        ("user", "goal"),
        ("assistant", None),
        ("tool", "double was not run: Expected `int`, got `str` - at `$.x`."),
        ("assistant", " "),
        ("user", "The answer was empty."),
        ("assistant", None),
        ("tool", "8"),
    ]


async def test_it_ends_in_its_time():
    backend = turn_by_turn(Script(deltas=(TextDelta(at=0, text="late"),), ttft=60.0))
    assert await my_loop()(backend, "m", [], "goal", 0.05) is None
