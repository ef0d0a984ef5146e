from hypothesis import given
from hypothesis import strategies as st

from tithe.core.part import PIECE, Part, PartRole, _marks, _Remembered, fingerprint

TEXTS = st.text(st.sampled_from("ab1 2-:é\n{}_T"), max_size=600)


def of(text: str, role: PartRole = "user") -> Part:
    return fingerprint(text, place="messages[0]", role=role)


def test_a_part_is_its_text_in_its_role():
    assert of("a") == of("a")
    assert of("a").digest != of("a", "system").digest != of("b", "system").digest


def test_white_space_is_no_difference_of_meaning():
    assert of("a  b\n").canonical == of("a b").canonical
    assert of("a  b\n").digest != of("a b").digest


def test_pieces_tell_where_a_text_begins_to_differ():
    one, other = of("x" * 600), of("x" * 300 + "y" + "x" * 299)
    assert [a == b for a, b in zip(one.pieces, other.pieces, strict=True)] == [True, False, True]


def test_what_changes_from_run_to_run_is_found_and_masked():
    text = "at 2026-03-01 10:00:07 by 0b5f7a3e-1c2d-4e5f-8a9b-0123456789ab for req_abcdef123456, 17 times"
    part = of(text)
    assert [(kind, text[at : at + length]) for kind, at, length in part.volatile] == [
        ("timestamp", "2026-03-01 10:00:07"),
        ("uuid", "0b5f7a3e-1c2d-4e5f-8a9b-0123456789ab"),
        ("id", "req_abcdef123456"),
    ]
    assert part.masked == of(text.replace("17", "18").replace(":07", ":59")).masked


def test_a_long_name_is_no_id():
    assert of("get_configuration MAX_CONCURRENCIES my_Documentation").volatile == ()
    assert [kind for kind, *_ in of("call_oAbdEfghijkL toolu_01AbCdEfGhIj user_session12345").volatile] == [
        "id"
    ] * 3


def test_json_that_is_only_asked_for_when_it_is_needed_counts_the_same():
    def part(text: str, value: object) -> Part:
        return fingerprint(text, place="tools[0]", role="tool_definition", canonical=value)

    value = {"b": 1, "a": [2]}
    given_now, later = part('{"b":1,"a":[2]}', value), part('{"a":[2],"b":1}', lambda: value)
    assert given_now.canonical == later.canonical
    # The same text with no JSON behind it is another thing.
    assert of('{"b":1,"a":[2]}', "tool_definition").canonical != given_now.canonical


def test_the_json_of_a_text_lately_seen_is_not_asked_for_again():
    asked: list[str] = []

    def value() -> dict[str, int]:
        asked.append("asked")
        return {"a": 1}

    parts = [
        fingerprint("seen but once", place=f"tools[{i}]", role="tool", canonical=value) for i in range(3)
    ]
    assert asked == ["asked"]
    assert [part.place for part in parts] == ["tools[0]", "tools[1]", "tools[2]"]
    assert len({part.canonical for part in parts}) == 1


def test_nothing_is_left_where_all_was_reasoning():
    assert fingerprint("hm", place="p", role="assistant", bare="").bare == ""
    assert fingerprint("hm a", place="p", role="assistant", bare="a").bare == of("a", "assistant").digest
    assert of("a").bare == of("a").digest


@given(TEXTS, TEXTS)
def test_the_fingerprints_agree_when_the_texts_do(one: str, other: str):
    assert (of(one).digest == of(other).digest) == (one == other)
    assert of(one).pieces == of(one).pieces
    assert of(one).size == len(one)
    assert all(0 <= at < at + length <= len(one) for _, at, length in of(one).volatile)


def test_what_is_remembered_is_bounded_and_the_least_lately_seen_goes_first():
    remembered = _Remembered(most=20)
    marks = _marks("x" * 3 * PIECE, "user", None)
    for name in ("a", "b"):
        remembered.keep((name, False), marks)
    assert remembered.get(("a", False)) == marks
    remembered.keep(("c", False), marks)
    assert [remembered.get((name, False)) is None for name in "abc"] == [False, True, False]
