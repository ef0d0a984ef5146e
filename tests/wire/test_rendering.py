import msgspec
import pytest

from tithe.wire.rendering import Rendering, definition


def test_text_that_stands_first_is_the_text_itself():
    said = Rendering()
    said.content("It is 10:42 now.")
    part = said.part("system", "system")
    assert (part.size, part.volatile) == (16, (("timestamp", 6, 5),))


def test_a_section_is_no_text_and_no_section_of_another_kind():
    def digest(kind: str, *given: str) -> str:
        said = Rendering()
        getattr(said, kind)(*given)
        return said.part("m", "assistant").digest

    assert (
        len(
            {
                digest("text", "a"),
                digest("reasoning", "a"),
                digest("call", "a", "", "c"),
                digest("named", "a"),
            }
        )
        == 4
    )
    assert digest("call", "a", "{}", "c") == digest("call", "a", "{}", "d")
    assert digest("result", "a", "c") != digest("result", "a", "d")


def test_a_part_knows_the_calls_that_it_asks_for_and_answers():
    said = Rendering()
    said.call("look", "{}", "c1")
    said.call("look", "{}", "")
    said.result([{"type": "text", "text": "a"}, {"type": "image", "source": {"data": "x" * 999}}], "c2")
    part = said.part("m", "assistant")
    assert part.calls == ("c1", "c2")
    assert part.size < 100


@pytest.mark.parametrize("ends", [("", ""), (" ", "\n"), ("\n\t", "")])
def test_white_space_between_a_tools_keys_is_no_difference(ends: tuple[str, str]):
    fields = ('"name":"look"', '"input_schema":{"b":1,"a":1.0}')
    sent = "{" + ",".join(end + field for end, field in zip(ends, fields, strict=True)) + "}"
    part = definition(msgspec.json.decode(sent), "tools[0]")
    assert (part.name, part.size) == ("look", len("{" + ",".join(fields) + "}"))


def test_what_is_no_tool_is_a_part_all_the_same():
    assert definition(None, "tools[0]").size == len("null")
