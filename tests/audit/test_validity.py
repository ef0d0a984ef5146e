import msgspec
import pytest

from tithe.audit.known import example
from tithe.audit.observation import Failure, Observation, Stamp
from tithe.audit.structured import SCHEMA
from tithe.audit.validity import call_validity, checker, text_validity
from tithe.core import ToolCall

CHECK = checker(SCHEMA)
GOOD = msgspec.json.encode(example(SCHEMA)).decode()


def answer(**fields: object) -> Observation:
    seen = {
        "label": "x",
        "begun": 0.0,
        "sent": 0.0,
        "ended": 2.0,
        "finish": "stop",
        "stamps": (Stamp(1.0, "text"),),
    }
    return Observation(**(seen | fields))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (GOOD, "valid"),
        (f"  {GOOD}\n", "valid"),
        (f"```json\n{GOOD}\n```", "parse"),
        (f"Here it is: {GOOD}", "parse"),
        (GOOD[:-1], "parse"),
        ("", "parse"),
        ("[]", "schema"),
        (GOOD.replace("50", "51").replace("10", "11"), "schema"),
        (GOOD.replace("{", '{"more": 1, '), "schema"),
        ("{}", "schema"),
    ],
)
def test_classes_of_json_text(text, found):
    assert text_validity(answer(text=text), CHECK) == found


@pytest.mark.parametrize(
    ("name", "arguments", "found"),
    [
        ("act", GOOD, "valid"),
        ("act", GOOD[:-1], "parse"),
        ("act", "", "parse"),
        ("act", "[1]", "schema"),
        ("acts", GOOD, "tool name"),
        ("act", "{}", "arguments"),
        ("act", GOOD.replace("true", '"true"'), "arguments"),
    ],
)
def test_classes_of_calls(name, arguments, found):
    call = ToolCall(id="1", name=name, arguments=arguments)
    assert call_validity(answer(tool_calls=(call,)), {"act": CHECK}) == found
    good = ToolCall(id="0", name="act", arguments=GOOD)
    assert call_validity(answer(tool_calls=(good, call)), {"act": CHECK}) == found


def test_what_is_told_before_any_reading():
    call = ToolCall(id="1", name="act", arguments=GOOD)
    assert call_validity(answer(text="I would rather talk."), {"act": CHECK}) == "no call"
    assert call_validity(answer(finish="length", tool_calls=(call,)), {"act": CHECK}) == "cut"
    assert text_validity(answer(finish="length", text=GOOD), CHECK) == "cut"
    broken = answer(failure=Failure(kind="StreamBroken", message="m"), text=GOOD, tool_calls=(call,))
    assert text_validity(broken, CHECK) == call_validity(broken, {"act": CHECK}) == "failed"
