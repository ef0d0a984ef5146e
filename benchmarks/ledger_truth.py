"""Is the ledger right? Agents whose every second is known are recorded, and each bucket is held against the truth.

    python benchmarks/ledger_truth.py [--repeats 3]

The scripted server's answers have a known TTFT and known times between chunks; the agent (truth_agent.py) sleeps for known
times as its tools, its backoff, its framework and its user. It runs under `tithe record` as any agent does: as it is, and
once more reporting its own spans. A bucket is right where it is within 5 ms or 2 % of its truth, a step's share of the
client library's own time included. From outside, the framework's time is inside the tools' (an upper bound), and the
truth says so.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

from tithe.ledger import Ledger, make_ledger
from tithe.net.scripted import Reply, ScriptedServer
from tithe.trace import Store

NEAR_S, NEAR_SHARE = 0.005, 0.02
AGENT = Path(__file__).with_name("truth_agent.py")

# Seconds throughout. `reasoning`, `arguments`, `answer`: chunks after the first, each 20 ms after the one before.
SCENARIOS: dict[str, list[dict[str, Any]]] = {
    "serial tools": [{"ttft": 0.3, "arguments": 10, "tools": [0.4]} for _ in range(6)]
    + [{"ttft": 0.2, "answer": 20}],
    "parallel tools": [
        {"ttft": 0.2, "arguments": 5, "tools": [0.5, 0.3, 0.1], "parallel": True},
        {"ttft": 0.2, "arguments": 5, "tools": [0.2, 0.6], "parallel": True},
        {"ttft": 0.2, "answer": 10},
    ],
    "tools that could overlap": [
        {"ttft": 0.2, "arguments": 5, "tools": [0.5, 0.3, 0.2]},
        {"ttft": 0.2, "answer": 10},
    ],
    "retries and backoff": [
        {"ttft": 0.2, "arguments": 5, "tools": [0.3], "failures": 2, "backoff": 0.4, "fails_after": 0.15},
        {"ttft": 0.2, "arguments": 5, "tools": [0.3]},
        {"ttft": 0.2, "answer": 5, "failures": 1, "backoff": 0.6, "fails_after": 0.3},
    ],
    "reasoning, a slow framework, a person": [
        {"ttft": 0.5, "reasoning": 20, "arguments": 10, "tools": [0.2], "framework": 0.25},
        {"ttft": 0.3, "reasoning": 10, "answer": 10, "pause": 1.0},
        {"ttft": 0.3, "answer": 20},
    ],
}
GAP_S = 0.02


def replies(scenario: list[dict[str, Any]]) -> list[Reply]:
    """What the server answers, in order."""
    whole = b'{"id":"w","model":"truth","choices":[{"index":0,"finish_reason":"stop","message":{"content":"up"}}]}'
    found = [Reply(headers={"content-type": "application/json"}, chunks=[(0.0, whole)])]  # to warm up
    for number, step in enumerate(scenario):
        body = b'{"error":{"message":"busy","type":"rate_limit","code":"rate_limited"}}'
        refused = Reply(
            status=429,
            head_after=step.get("fails_after", 0.0),
            headers={"content-type": "application/json"},
            chunks=[(0.0, body)],
        )
        found += [refused] * step.get("failures", 0)
        found.append(Reply(chunks=_chunks(number, step)))
    return found


def _chunks(number: int, step: dict[str, Any]) -> list[tuple[float, bytes]]:
    deltas: list[dict[str, Any]] = [{"reasoning_content": "hm "} for _ in range(step.get("reasoning", 0))]
    tools = step.get("tools", ())
    for place in range(len(tools)):
        function = {"name": "work", "arguments": ""}
        deltas.append(
            {"tool_calls": [{"index": place, "id": f"call_{number}_{place}", "function": function}]}
        )
    for place in range(step.get("arguments", 0)):
        piece = "{}" if place == 0 else " "
        deltas.append({"tool_calls": [{"index": len(tools) - 1, "function": {"arguments": piece}}]})
    if len(tools) > 1:
        # The other calls' arguments come in the chunks that open them.
        for delta in deltas:
            for call in delta.get("tool_calls", ()):
                if call["index"] < len(tools) - 1:
                    call["function"]["arguments"] = "{}"
    deltas += [{"content": "word "} for _ in range(step.get("answer", 0))]
    delays = [step["ttft"]] + [GAP_S] * (len(deltas) - 1)
    reason = "tool_calls" if tools else "stop"
    last = {"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}
    usage = {"choices": [], "usage": {"prompt_tokens": 100, "completion_tokens": len(deltas)}}
    sent = [
        (delay, _event({"choices": [{"index": 0, "delta": delta}]}))
        for delay, delta in zip(delays, deltas, strict=True)
    ]
    return [*sent, (0.0, _event(last) + _event(usage) + b"data: [DONE]\n\n")]


def _event(payload: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps({"id": "x", "model": "truth", **payload}).encode() + b"\n\n"


def truth(scenario: list[dict[str, Any]], *, spans: bool) -> dict[str, float]:
    """Seconds in each bucket that the scenario's delays amount to."""
    told: dict[str, float] = defaultdict(float)
    for step in scenario:
        tools, parallel = step.get("tools", []), step.get("parallel", False)
        told["prefill"] += step["ttft"]
        chunks = len(tools) + sum(step.get(kind, 0) for kind in ("reasoning", "arguments", "answer")) - 1
        told["decode"] += GAP_S * chunks
        told["retry"] += step.get("failures", 0) * (step.get("fails_after", 0.0) + step.get("backoff", 0.0))
        ran = (max(tools) if parallel else sum(tools)) if tools else 0.0
        told["tool"] += ran
        framework = step.get("framework", 0.0)
        told["overhead" if spans else "tool" if tools else "user"] += framework
        told["user"] += step.get("pause", 0.0)
    return {bucket: seconds for bucket, seconds in told.items() if seconds > 0}


async def record(name: str, *, spans: bool, folder: Path) -> tuple[Ledger, float]:
    """The ledger of one run of a scenario under `tithe record`, and the seconds by which the server was late."""
    scenario, db = folder / "scenario.json", folder / "record.db"
    scenario.write_text(json.dumps(SCENARIOS[name]), "utf-8")
    async with ScriptedServer(*replies(SCENARIOS[name])) as server:
        command = ("-m", "tithe", "record", "--db", str(db), "--upstream", server.url, "--", sys.executable)
        child = await asyncio.create_subprocess_exec(
            sys.executable, *command, str(AGENT), str(scenario), *(["--spans"] if spans else []),
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        _, said = await child.communicate()
        if child.returncode != 0:
            raise SystemExit(f"{name}: exit status {child.returncode}\n{said.decode()}")
    with Store.open(db, write=False) as store:
        return make_ledger(store.task("last")), server.late_total_s


def main() -> None:
    """Record every scenario, and print how far each bucket is off."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=3)
    repeats: int = parser.parse_args().repeats
    wrong = 0
    print(
        f"{'scenario':38} {'seen':8} {'bucket':9} {'truth s':>8} {'found s':>8} {'off ms':>7} {'off %':>6} {'late ms':>7}"
    )
    for name, scenario in SCENARIOS.items():
        for spans in (False, True):
            runs: list[tuple[Ledger, float, float]] = []
            for _ in range(repeats):
                with tempfile.TemporaryDirectory() as folder:
                    ledger, late_s = asyncio.run(record(name, spans=spans, folder=Path(folder)))
                    computed_s = float(Path(folder, "scenario.json.cpu").read_text("utf-8"))
                    runs.append((ledger, late_s, computed_s))
            late = statistics.median(seconds for _, seconds, _ in runs)
            computed = statistics.median(seconds for _, _, seconds in runs)
            for bucket, seconds in truth(scenario, spans=spans).items():
                median = statistics.median(ledger.bucket_s(bucket) for ledger, _, _ in runs)  # pyright: ignore[reportArgumentType]
                off = median - seconds
                more = {"prefill": late, "decode": late, "overhead": computed}.get(bucket, 0.0)
                near = max(NEAR_S, NEAR_SHARE * seconds)
                right = -near <= off <= near + more
                wrong += not right
                print(
                    f"{name:38} {'spans' if spans else 'outside':8} {bucket:9} {seconds:8.3f} {median:8.3f} {1e3 * off:7.1f} "
                    f"{100 * off / seconds:6.2f} {1e3 * late:7.1f}{'' if right else '  WRONG'}"
                )
    print(f"{wrong} of the buckets are further off than {1e3 * NEAR_S:g} ms and {100 * NEAR_SHARE:g} %.")
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
