"""Structured output: what a schema-valid answer costs, constrained against free.

Four arms, one of each in a round, ask for the same thing: a tool call with `tool_choice: required` and a strict
tool, or with `auto` and a tool held to nothing; JSON text under `response_format: json_schema`, or as
plain text with the schema in the prompt. The first call of each arm compiles grammars and is shown apart. An
arm whose first call the endpoint refuses (HTTP 400, 422, ...: it has no tools, or no `response_format`) is asked
for no more, and its figures say what the endpoint said.

Time to a valid answer is sent to last token of the answers that were valid at the first try. With
retries, when every attempt is drawn alike and independently and a retry starts at once (Wald's
identity: the number of attempts is geometric with mean 1 / p),

    expected time = mean time of an attempt, valid or not / p(valid)

An arm that was never valid has no expected time; what can be said is that it is at least the mean
time of an attempt divided by Wilson's upper bound of p.
"""

import random
from collections import Counter
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from tithe.audit.observation import Observation
from tithe.audit.probe import Probe
from tithe.audit.sampling import Extent, sample
from tithe.audit.validity import Check, ValidityClass, call_validity, checker, text_validity
from tithe.core import Message, Request, ResponseFormat, Tool, ToolChoice
from tithe.core.statistics import Estimate, Share, median, wilson

StructuredArm = Literal["call constrained", "call free", "json constrained", "json free"]

ARMS: tuple[StructuredArm, ...] = ("call constrained", "call free", "json constrained", "json free")

# Closed values alone, so that a weak model under a grammar ends soon; within OpenAI's strict subset.
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "path": {"type": "string", "enum": ["src/main.py", "src/server.py", "docs/guide.md", "README.md"]},
        "action": {"type": "string", "enum": ["read", "list", "delete"]},
        "lines": {"type": "integer", "enum": [10, 50, 200]},
        "numbered": {"type": "boolean"},
    },
    "required": ["path", "action", "lines", "numbered"],
    "additionalProperties": False,
}
TOOL = "file_action"
_GOAL = "Read the first 50 lines of src/server.py, with line numbers."


class StructuredSample(msgspec.Struct, frozen=True, kw_only=True):
    arm: StructuredArm
    repeat: int
    observation: Observation


class StructuredFigures(msgspec.Struct, frozen=True, kw_only=True):
    """One arm. `classes` counts every answer; failed calls are among them and not in `valid`'s n.

    `expected_s` is None when no answer was valid; then `expected_at_least_s` is what can be said. `refused` is
    what the endpoint said where it takes no such request; nothing was measured then.
    """

    arm: StructuredArm
    valid: Share | None
    classes: dict[ValidityClass, int]
    ttft_s: Estimate | None
    valid_total_s: Estimate | None
    attempt_mean_s: float | None
    expected_s: float | None
    expected_at_least_s: float | None
    refused: str | None = None


class Structured(msgspec.Struct, frozen=True, kw_only=True):
    """The measurement whole: what was seen, and what follows from it."""

    primes: tuple[Observation, ...]
    samples: tuple[StructuredSample, ...]
    extent: Extent
    figures: tuple[StructuredFigures, ...]


async def measure_structured(probe: Probe) -> Structured:
    """Warm every arm, then run rounds of one call of each in random order."""
    plan = probe.plan
    async with probe.seat.turn():
        primes = [await probe.call(_request(probe, arm, -1), f"structured.prime.{arm}") for arm in ARMS]
    refused = _refused(primes)
    arms: list[StructuredArm] = [arm for arm in ARMS if arm not in refused]
    order = random.Random(f"{plan.seed}/structured")
    samples: list[StructuredSample] = []

    async def run_round(repeat: int) -> None:
        for arm in order.sample(arms, len(arms)):
            seen = await probe.call(_request(probe, arm, repeat), f"structured.{arm}")
            samples.append(StructuredSample(arm=arm, repeat=repeat, observation=seen))

    def times() -> list[Estimate | None]:
        rows = structured_figures(tuple(samples), seed=plan.seed)
        return [row.valid_total_s or row.ttft_s for row in rows if row.arm in arms]

    nothing = Extent(rounds=0, ended="samples")
    extent = await sample(probe, run_round, times) if arms else nothing
    return Structured(
        primes=tuple(primes),
        samples=tuple(samples),
        extent=extent,
        figures=structured_figures(tuple(samples), seed=plan.seed, refused=refused),
    )


def _refused(primes: list[Observation]) -> dict[StructuredArm, str]:
    """What the endpoint said of the arms that it does not take."""
    return {arm: seen.refusal for arm, seen in zip(ARMS, primes, strict=True) if seen.refusal is not None}


def _request(probe: Probe, arm: StructuredArm, repeat: int) -> Request:
    note = probe.prompts.text(20, f"structured/{arm}/{repeat}")
    request = probe.request(
        (
            Message(role="system", content="You work on a repository of files, one action at a time."),
            Message(role="user", content=f"Note: {note}.\n{_instruction(arm)}"),
        ),
        probe.plan.structured_tokens,
    )
    replace = msgspec.structs.replace
    match arm:
        case "call constrained":
            called = replace(request, tools=(_tool(strict=True),), tool_choice=ToolChoice(mode="required"))
            return replace(called, parallel_tool_calls=False)
        case "call free":
            called = replace(request, tools=(_tool(strict=False),), tool_choice=ToolChoice(mode="auto"))
            return replace(called, parallel_tool_calls=False)
        case "json constrained":
            form = ResponseFormat(kind="json_schema", name=TOOL, schema=SCHEMA, strict=True)
            return replace(request, response_format=form)
        case "json free":
            return request


def _instruction(arm: StructuredArm) -> str:
    if arm in ("call constrained", "call free"):
        return f"{_GOAL} Call the tool {TOOL} once, and write nothing else."
    schema = msgspec.json.encode(SCHEMA).decode()
    return f"{_GOAL} Answer with one JSON object of this schema, and write nothing else: {schema}"


def _tool(*, strict: bool) -> Tool:
    return Tool(name=TOOL, description="Does one action on one file.", parameters=SCHEMA, strict=strict)


def structured_figures(
    samples: tuple[StructuredSample, ...], *, seed: int, refused: Mapping[StructuredArm, str] | None = None
) -> tuple[StructuredFigures, ...]:
    """Everything that follows from the samples, an arm each; `refused` are the arms the endpoint does not take."""
    check = checker(SCHEMA)
    rows = (
        _arm_figures(arm, [sample.observation for sample in samples if sample.arm == arm], check, seed)
        for arm in ARMS
    )
    said = refused or {}
    return tuple(msgspec.structs.replace(row, refused=said.get(row.arm)) for row in rows)


def judged(samples: tuple[StructuredSample, ...]) -> tuple[tuple[StructuredSample, ValidityClass], ...]:
    """Each sample with the class of its answer."""
    check = checker(SCHEMA)
    return tuple((sample, validity(sample.arm, sample.observation, check)) for sample in samples)


def validity(arm: StructuredArm, seen: Observation, check: Check) -> ValidityClass:
    """The class of one answer of `arm`."""
    if arm in ("call constrained", "call free"):
        return call_validity(seen, {TOOL: check})
    return text_validity(seen, check)


def _arm_figures(
    arm: StructuredArm, observations: list[Observation], check: Check, seed: int
) -> StructuredFigures:
    classed: list[tuple[Observation, ValidityClass]] = [
        (seen, validity(arm, seen, check)) for seen in observations
    ]
    answered = [seen for seen, found in classed if found != "failed"]
    valid = [seen for seen, found in classed if found == "valid"]
    share = wilson(len(valid), len(answered))
    times = [seen.total for seen in answered if seen.total is not None]
    mean = sum(times) / len(times) if times else None
    expected, at_least = _expected(mean, share)
    return StructuredFigures(
        arm=arm,
        valid=share,
        classes=dict(Counter(found for _, found in classed)),
        ttft_s=median([seen.ttft for seen in answered if seen.ttft is not None], seed=seed),
        valid_total_s=median([seen.total for seen in valid if seen.total is not None], seed=seed),
        attempt_mean_s=mean,
        expected_s=expected,
        expected_at_least_s=at_least,
    )


def _expected(mean: float | None, share: Share | None) -> tuple[float | None, float | None]:
    """Expected time with retries, or what it is at least when no answer was valid."""
    if mean is None or share is None:
        return None, None
    return (mean / share.value, None) if share.successes else (None, mean / share.high)
