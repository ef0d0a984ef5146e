"""The schema of a report says what a report is: reports pass, and what is none does not."""

import copy
from pathlib import Path
from typing import Any

import fastjsonschema
import msgspec
import pytest

from tithe.audit import compare, report_schema, written_schema
from tithe.audit.audit import REPORT_VERSION

WRITTEN = Path(__file__).parents[2] / "docs" / "report-schema.json"


def in_draft_7(schema: Any) -> Any:
    """The same schema in words that fastjsonschema knows: of 2020-12 it lacks `prefixItems`, and this uses no other."""
    if isinstance(schema, list):
        return [in_draft_7(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    said = {name: in_draft_7(value) for name, value in schema.items() if name != "$schema"}
    if "prefixItems" in said:
        assert "items" not in said
        said["items"] = said.pop("prefixItems")
    return said


@pytest.fixture(scope="module")
def check():
    return fastjsonschema.compile(in_draft_7(report_schema()))


@pytest.fixture(params=[{}, {"reports_usage": False}, {"fails_every": 7}, {"fails_after": 6}], ids=str)
def report(request, bench) -> dict[str, Any]:
    return msgspec.json.decode(msgspec.json.encode(bench(**request.param).audit()))


def test_a_report_is_what_the_schema_says(check, report):
    check(report)


def test_a_comparison_is_what_the_schema_says(check, bench):
    made = bench()
    reports = [made.audit(), bench(base_s=0.05).audit()]
    comparison = msgspec.json.decode(msgspec.json.encode(compare(reports, interleaved=False)))
    check(comparison)
    comparison["contrasts"][0]["findings"][0]["outcome"] = "better"
    with pytest.raises(fastjsonschema.JsonSchemaValueException):
        check(comparison)


def test_its_words_are_those_that_the_check_understands():
    """A validator passes over what it does not know: then a report would pass that should not."""
    known = {
        "$ref", "$defs", "$schema", "title", "description", "default",
        "type", "enum", "const", "properties", "required", "additionalProperties", "items", "prefixItems",
        "minItems", "maxItems", "anyOf",
    }  # fmt: skip

    def words(schema: Any) -> set[str]:
        nested = [*schema.get("properties", {}).values(), *schema.get("$defs", {}).values()]
        nested += [*schema.get("anyOf", ()), *schema.get("prefixItems", ())]
        nested += [
            schema[name] for name in ("items", "additionalProperties") if isinstance(schema.get(name), dict)
        ]
        return set(schema).union(*map(words, nested))

    assert words(report_schema()) <= known


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("version",), REPORT_VERSION + 1),
        (("calls",), "many"),
        (("verdicts", 0, "about"), "weather"),
        (("measured", "pairs", "samples", 0, "arm"), "warm"),
        (("measured", "pairs", "samples", 0, "observation", "stamps", 0, 0), "soon"),
        (("measured", "pairs", "samples", 0, "observation", "stamps", 0, 1), "sound"),
        (("measured", "pairs", "figures", "token_worth_s", "value"), None),
        (("client", "judgements", "cache", "lag", "n"), 0.5),
        (("plan", "lengths"), 5),
    ],
)
def test_what_is_no_report_is_refused(check, bench, path, value):
    report = msgspec.json.decode(msgspec.json.encode(bench().audit()))
    check(report)
    place = broken = copy.deepcopy(report)
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(fastjsonschema.JsonSchemaValueException):
        check(broken)


def test_the_written_schema_is_current():
    assert WRITTEN.read_text("utf-8") == written_schema(), (
        f"run: tithe audit --schema > {WRITTEN.relative_to(WRITTEN.parents[1])}"
    )
