"""CSV: a row a span that any reader takes apart rightly, and no formula for a spreadsheet to run."""

import csv
import io

import msgspec

from tithe.trace import TaskRecord
from tithe.trace.exports import COLUMNS, to_csv


def table(*records: TaskRecord) -> list[dict[str, str]]:
    text = b"".join(to_csv(records)).decode()
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def test_a_row_a_span_with_what_was_reported_and_nothing_for_the_rest(record) -> None:
    rows = table(record)
    assert len(rows) == len(record.spans)
    failed, answered, tool, *_ = rows
    assert (failed["kind"], failed["error"], failed["input_tokens"], failed["model"]) == (
        "attempt",
        "http_500",
        "",
        "nano",
    )
    assert (answered["input_tokens"], answered["finish_reasons"]) == ("1200", "tool_calls")
    assert (answered["start_s"], answered["duration_s"], answered["first_token_s"]) == (
        "1.5",
        "1.500000001",
        "0.5",
    )
    assert answered["started"] == "1790000001.750000"
    assert (tool["tool_call"], tool["parent"], tool["session"]) == ("t1", "", "chat-7")
    assert next(row for row in rows if row["span"] == "last")["duration_s"] == ""


def test_lines_end_and_fields_are_quoted_as_rfc_4180_has_it(record) -> None:
    named = msgspec.structs.replace(record, name='a "b",\r\nc')
    written = b"".join(to_csv([named]))
    assert written.startswith(",".join(column.name for column in COLUMNS).encode() + b"\r\n")
    assert written.endswith(b"\r\n")
    assert b'"a ""b"",\r\nc"' in written
    assert {row["task_name"] for row in table(named)} == {'a "b",\r\nc'}


def test_a_name_that_looks_like_a_formula_is_text(record) -> None:
    assert table(record)[-1]["name"] == "'=HYPERLINK(1)"


def test_an_attribute_of_another_type_than_its_column_is_left_empty(record) -> None:
    odd = {
        "gen_ai.usage.input_tokens": "many", "tithe.queue_s": True, "gen_ai.request.stream": "yes",
        "gen_ai.request.model": 7,
    }  # fmt: skip
    [row] = table(
        msgspec.structs.replace(record, spans=(msgspec.structs.replace(record.spans[0], attributes=odd),))
    )
    assert (row["input_tokens"], row["queue_s"], row["stream"], row["model"]) == ("", "", "", "7")
