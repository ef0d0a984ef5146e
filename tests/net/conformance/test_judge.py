"""The suite bites: a client that is right passes everywhere, and each mistake of the field is found out.

`Client` below reads a scenario's bytes on its own, with neither our wire code nor a socket, at the instants
at which the script sends them. So it also proves the truths: they follow from the bytes.
"""

import json
import re
from collections.abc import Callable, Iterable
from typing import Any

import fastjsonschema
import msgspec
import pytest
from msgspec import UNSET

from tithe.net.conformance import SCENARIOS, Finding, Findings, Ruling, Run, Scenario, Summary, chosen, judge
from tithe.net.conformance.behaviour import Player
from tithe.net.scripted import Reply


class Client:
    """A client whose times are exact. `bug` is the one mistake that it makes; "" is none."""

    def __init__(self, bug: str = "") -> None:
        self.bug = bug

    def ask(self, scenario: Scenario) -> Findings:
        player, asking, now = Player(scenario.behaviour), scenario.asking, 0.0
        found: list[Finding] = []
        prompt: list[bytes] = [b"system"]
        for number in range(asking.calls):
            due = number * asking.every_s if asking.how == "on schedule" else now
            sent = max(now, due) if self.bug == "waits for answers" else due
            if asking.how == "copies":
                prompt = [b"copy" if self.bug == "repeats prompts" else b"copy %d" % number]
            if asking.how == "steps":
                prompt = [*prompt, b"step %d" % number]
            reply, spent = player.reply(prompt, sent), 0.0
            while self.bug == "retries inside" and reply.status != 200:
                spent += reply.lasts_s
                reply = player.reply(prompt, sent + spent)
            one = self.read(reply, spent, scenario)
            if asking.how == "on schedule" and isinstance(one.total_s, float):
                waited = 0.0 if self.bug == "waits for answers" else sent - due
                one = msgspec.structs.replace(one, latency_s=one.total_s + waited)
            if asking.how == "at once" and self.bug == "sends in series":
                one = late(one, 0.003 * number)
            found.append(one)
            if asking.how in ("in turn", "steps", "copies") or self.bug == "waits for answers":
                now = sent + spent + reply.lasts_s
            if asking.tools_s[number : number + 1] and self.bug != "drops tool time":
                now += asking.tools_s[number]
        return Findings(attempts=tuple(found), summary=self.summary(found))

    def summary(self, found: list[Finding]) -> Summary:
        counted = [one for one in found if one.outcome == "answered"]
        ttfts = sorted(one.ttft_s for one in counted if isinstance(one.ttft_s, float))
        if self.bug == "counts failures":
            ttfts = sorted(one.ttft_s if isinstance(one.ttft_s, float) else 0.0 for one in found)
            counted = found
        return Summary(
            counted=len(counted),
            apart=len(found) - len(counted),
            ttft_p50_s=ttfts[len(ttfts) // 2] if ttfts else None,
            interval=len(ttfts) > 2 and self.bug != "gives means alone",
        )

    def read(self, reply: Reply, spent: float, scenario: Scenario) -> Finding:
        if reply.status != 200:
            return Finding(outcome="failed", status=reply.status)
        seen = Seen()
        for at, name, data in self.events(reply):
            if data == b"[DONE]":
                seen.done_at = at
                break
            self.take(seen, at + spent, name, json.loads(data))
            if seen.failed:
                return Finding(outcome="failed", status=None)
        if seen.finish is None and seen.done_at is None and self.bug not in ("takes any end", "errors pass"):
            return Finding(outcome="failed", status=None)
        return self.finding(seen, scenario)

    def events(self, reply: Reply) -> Iterable[tuple[float, str, bytes]]:
        """(seconds from the request, event name, data) of every event with data."""
        at, rest, began = reply.head_after, b"", 0.0
        if reply.headers["content-type"] == "application/json":
            yield at, "", b"".join(data for _, data in reply.chunks)
            return
        for delay, data in reply.chunks:
            at += delay
            began = began if rest else at
            if self.bug == "decodes each read":
                data = data.decode(errors="replace").encode()
            *whole, rest = re.split(rb"\r?\n\r?\n", rest + data)
            for event in whole:
                lines = dict(line.split(b": ", 1) for line in event.splitlines() if line[:1] != b":")
                if b"data" in lines:
                    stamp = began if self.bug == "stamps the first byte" else at
                    yield stamp, lines.get(b"event", b"").decode(), lines[b"data"]
                elif self.bug == "a comment is a token":
                    yield (
                        at,
                        "",
                        b'{"choices": [{"index": 0, "delta": {"content": " "}, "finish_reason": null}]}',
                    )
                began = at

    def take(self, seen: "Seen", at: float, name: str, payload: dict[str, Any]) -> None:
        if (payload.get("error") or name == "error") and self.bug != "errors pass":
            seen.failed = True
            return
        if usage := payload.get("usage"):
            seen.usages.append(usage)
        seen.facts = payload.get("tithe", seen.facts)
        for choice in payload.get("choices", ()):
            seen.finish = choice["finish_reason"] or seen.finish
            self.take_delta(seen, at, choice["delta"])

    def take_delta(self, seen: "Seen", at: float, delta: dict[str, Any]) -> None:
        kinds = []
        names = ("reasoning",) if self.bug == "one name" else ("reasoning", "reasoning_content")
        if any(delta.get(name) for name in names):
            kinds.append("reasoning")
        if text := delta.get("content") or "":
            kinds.append("text")
            seen.text += text
        for part in delta.get("tool_calls", ()):
            function = part.get("function", {})
            seen.name += function.get("name", "")
            seen.arguments += function.get("arguments", "")
            if function.get("name") or function.get("arguments"):
                kinds.append("call")
        if not kinds and (
            (self.bug == "a role is a token" and "role" in delta)
            or (self.bug == "an empty delta is a token" and delta.get("content") == "")
        ):
            kinds = ["text"]
        if self.bug == "only text is a token":
            kinds = [kind for kind in kinds if kind == "text"]
        if self.bug == "reasoning is no token":
            kinds = [kind for kind in kinds if kind != "reasoning"]
        if kinds:
            seen.stamps.append((at, kinds[-1]))

    def finding(self, seen: "Seen", scenario: Scenario) -> Finding:
        first = next((at for at, _ in seen.stamps), None)
        visible = next((at for at, kind in seen.stamps if kind != "reasoning"), None)
        last = seen.stamps[-1][0] if seen.stamps else None
        if self.bug == "empty is 0.00":
            first = first or 0.0
        if self.bug == "made-up visible TTFT":
            visible = visible or last
        usage = seen.usages[-1] if seen.usages else {}
        output, reasoning = usage.get("completion_tokens"), None
        cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens")
        if details := usage.get("completion_tokens_details"):
            reasoning = details["reasoning_tokens"]
        match self.bug:
            case "chunks are tokens":
                output = len(seen.stamps)
            case "adds reasoning" if output is not None:
                output += reasoning or 0
            case "adds usages up" if seen.usages:
                output = sum(one["completion_tokens"] for one in seen.usages)
            case "missing is 0":
                cached = cached or 0
            case "leaves cached tokens out":
                cached = None
            case "0 is missing":
                cached = cached or None
            case "takes [DONE] for the end":
                last = seen.done_at if last is not None else None
            case _:
                pass
        queue = seen.facts["queue_s"] if seen.facts and self.bug != "loses the queue" else None
        spent = (last or 0.0) - (first or 0.0)
        instant = 0.0 if self.bug == "divides by nothing" else None
        return Finding(
            outcome="answered" if first is not None else "empty",
            ttft_s=first,
            visible_ttft_s=visible,
            total_s=last,
            gaps_s=tuple(b - a for (a, _), (b, _) in zip(seen.stamps, seen.stamps[1:], strict=False)),
            decode_rate=(output - 1) / spent if output and output > 1 and spent > 0 else instant,
            queue_s=queue if queue is not None or self.bug != "missing is 0" else 0.0,
            output_tokens=output,
            reasoning_tokens=reasoning,
            cached_tokens=cached,
            text=seen.text,
            validity=self.validity(seen, scenario),
        )

    def validity(self, seen: "Seen", scenario: Scenario) -> str | None:
        form = scenario.asking.form
        if form is None:
            return None
        if self.bug == "refuses all":
            return "parse"
        said = seen.text if form.kind == "json" or self.bug == "takes text for a call" else seen.arguments
        if seen.finish == "length" and self.bug != "a cut answer is bad JSON":
            return "cut"
        if form.kind == "call" and not seen.name and self.bug != "takes text for a call":
            return "no call"
        if self.bug == "any call is valid":
            return "valid"
        if self.bug == "strips and searches":
            found = re.search(r"\{.*\}", said, re.DOTALL)
            said = found.group() if found else said
        try:
            value = json.loads(said)
        except ValueError:
            return "parse"
        if self.bug == "no white space" and said != said.strip():
            return "parse"
        if self.bug == "what parses is valid":
            return "valid"
        valid = conforms(form.schema, value)
        if form.kind == "json":
            return "valid" if valid else "schema"
        if not isinstance(value, dict):
            return "schema"
        if seen.name not in (form.name, ""):
            return "tool name"
        return "valid" if valid else "arguments"


class Seen:
    """What came of one answer."""

    def __init__(self) -> None:
        self.stamps: list[tuple[float, str]] = []
        self.text = self.name = self.arguments = ""
        self.usages: list[dict[str, Any]] = []
        self.facts: dict[str, Any] | None = None
        self.finish: str | None = None
        self.done_at: float | None = None
        self.failed = False


def conforms(schema: dict[str, Any], value: object) -> bool:
    try:
        fastjsonschema.compile(schema)(value)
    except fastjsonschema.JsonSchemaValueException:
        return False
    return True


def late(found: Finding, seconds: float) -> Finding:
    assert isinstance(found.ttft_s, float)
    assert isinstance(found.total_s, float)
    return msgspec.structs.replace(
        found, ttft_s=found.ttft_s + seconds, total_s=found.total_s + seconds, visible_ttft_s=None
    )


def ruled(scenario: Scenario, bug: str = "", **lags: float) -> Ruling:
    return judge(scenario, [Run(findings=Client(bug).ask(scenario), **lags)])


def wrong(bug: str) -> set[str]:
    return {scenario.name for scenario in SCENARIOS if ruled(scenario, bug).outcome == "wrong"}


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_the_truth_follows_from_the_bytes(scenario: Scenario) -> None:
    ruling = ruled(scenario)
    assert (ruling.outcome, ruling.faults) == ("right", ())
    assert (ruling.off_s or 0.0) < 1e-9


# The mistake, and scenarios that it must not get past. Others may find it too.
MISTAKES: dict[str, set[str]] = {
    "a role is a token": {"role-first", "comment-and-empty-first", "tool-call-only", "empty-answer"},
    "an empty delta is a token": {"role-first", "comment-and-empty-first"},
    "a comment is a token": {"comment-and-empty-first"},
    "only text is a token": {"tool-call-only", "reasoning", "reasoning-content"},
    "reasoning is no token": {"reasoning", "reasoning-content", "reasoning-alone"},
    "one name": {"reasoning-content"},
    "made-up visible TTFT": {"reasoning-alone"},
    "adds reasoning": {"reasoning", "reasoning-content", "reasoning-hidden"},
    "chunks are tokens": {"several-tokens-a-chunk", "usage-missing", "reasoning", "tool-call-only"},
    "takes [DONE] for the end": {"done-late", "tool-call-only"},
    "decodes each read": {"token-in-two-writes"},
    "stamps the first byte": {"token-in-two-writes"},
    "errors pass": {"error-event", "error-event-named", "error-body", "failures-apart"},
    "takes any end": {"cut-off"},
    "retries inside": {"refused-then-served", "full-then-served", "failures-apart"},
    "strips and searches": {"json-in-other-space", "json-in-prose", "json-in-a-fence"},
    "no white space": {"json-in-white-space"},
    "refuses all": {"json-valid", "call-valid"},
    "a cut answer is bad JSON": {"json-cut"},
    "what parses is valid": {"json-off-schema", "call-no-object", "call-unknown-tool", "call-off-schema"},
    "takes text for a call": {"text-for-a-call"},
    "any call is valid": {"call-no-json", "call-no-object", "call-unknown-tool", "call-off-schema"},
    "loses the queue": {"queue-told"},
    "waits for answers": {"open-loop"},
    "repeats prompts": {"exact-repeats"},
    "drops tool time": {"cache-that-expires"},
    "missing is 0": {"cached-missing", "cached-null", "usage-missing", "queue-not-told"},
    "leaves cached tokens out": {"cached-some", "cached-zero"},
    "0 is missing": {"cached-zero", "exact-repeats"},
    "adds usages up": {"usage-on-every-chunk", "usage-twice"},
    "sends in series": {"many-streams"},
    "empty is 0.00": {"empty-answer"},
    "divides by nothing": {"one-write"},
    "counts failures": {"failures-apart", "refused-then-served"},
    "gives means alone": {"failures-apart"},
}


@pytest.mark.parametrize("bug", MISTAKES)
def test_a_mistaken_client_is_found_out(bug: str) -> None:
    assert wrong(bug) >= MISTAKES[bug]


def test_no_scenario_is_idle() -> None:
    found = set[str]().union(*(wrong(bug) for bug in MISTAKES))
    assert {scenario.name for scenario in SCENARIOS} == found


def test_a_fault_names_what_is_true_and_what_was_told() -> None:
    (fault, *_) = ruled(chosen("role-first")[0], "a role is a token").faults
    assert (fault.what, fault.true, fault.told) == ("attempt 1 ttft_s", "80.0 ms", "20.0 ms")


def with_ttft(scenario: Scenario, shift: float) -> Findings:
    (one,) = Client().ask(scenario).attempts
    assert isinstance(one.ttft_s, float)
    return Findings(attempts=(msgspec.structs.replace(one, ttft_s=one.ttft_s + shift),))


@pytest.mark.parametrize(
    ("shift", "lag", "outcome"),
    [
        (0.009, 0.0, "right"),
        (0.012, 0.0, "wrong"),
        (0.012, 0.004, "right"),
        (0.030, 0.009, "wrong"),
        (0.030, 0.011, "busy"),
        (0.500, 0.600, "busy"),
        (-0.012, 0.600, "wrong"),
        (-0.009, 0.0, "right"),
    ],
)
def test_late_is_judged_by_the_lag_and_early_is_wrong(shift: float, lag: float, outcome: str) -> None:
    scenario = chosen("role-first")[0]
    ruling = judge(
        scenario, [Run(findings=with_ttft(scenario, shift), loop_lag_s=lag / 2, server_late_s=lag / 2)]
    )
    assert ruling.outcome == outcome
    assert ruling.off_s == pytest.approx(abs(shift))


def test_one_late_run_of_three_is_nothing() -> None:
    scenario = chosen("role-first")[0]
    runs = [Run(findings=with_ttft(scenario, shift)) for shift in (0.3, 0.001, 0.002)]
    ruling = judge(scenario, runs)
    assert ruling.outcome == "right"
    assert ruling.told.attempts[0].ttft_s == pytest.approx(0.082)


def test_one_run_of_three_that_says_something_else_is_wrong() -> None:
    scenario = chosen("cached-missing")[0]
    runs = [Run(findings=Client(bug).ask(scenario)) for bug in ("", "missing is 0", "")]
    assert judge(scenario, runs).outcome == "wrong"


def test_calls_that_came_out_of_turn_are_not_told_on_a_busy_machine() -> None:
    scenario = chosen("open-loop")[0]
    assert ruled(scenario, "waits for answers").outcome == "wrong"
    assert ruled(scenario, "waits for answers", loop_lag_s=0.3).outcome == "busy"


def test_what_a_server_forgot_is_not_told_on_a_busy_machine() -> None:
    scenario = chosen("cache-that-expires")[0]
    assert ruled(scenario, "drops tool time", loop_lag_s=0.3).outcome == "busy"
    assert ruled(chosen("cached-missing")[0], "missing is 0", loop_lag_s=0.3).outcome == "wrong"


@pytest.mark.parametrize(
    "change",
    [
        lambda told: msgspec.structs.replace(told, attempts=told.attempts[1:]),
        lambda told: msgspec.structs.replace(told, summary=UNSET),
        lambda told: msgspec.structs.replace(
            told, attempts=(*told.attempts[:1], Finding(outcome="answered"))
        ),
    ],
)
def test_what_is_asked_and_not_told_is_wrong(change: Callable[[Findings], Findings]) -> None:
    scenario = chosen("refused-then-served")[0]
    told = Client().ask(scenario)
    assert judge(scenario, [Run(findings=told)]).outcome == "right"
    assert judge(scenario, [Run(findings=change(told))]).outcome == "wrong"
