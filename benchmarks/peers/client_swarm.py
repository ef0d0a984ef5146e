"""agentic-swarm-bench, by `asb speed` and its JSON report, which has every request.

Its users start together, `--repetitions` times: a wave ends before the next begins.
"""

from __future__ import annotations

import json
from typing import Any

from call import Call, Report
from client import ANSWER_TOKENS, PEERS_BIN, PROMPT_TOKENS, Job
from msgspec import UNSET

from tithe.net.conformance import Summary


class SwarmBench:
    name = "asb"
    package = "agentic-swarm-bench"
    terms = (
        "TTFT (ttft_ms): from before the request is made to the first line with text or reasoning. Total (total_time_s): "
        "to the stream's end. Gaps (itl_ms): between such lines. Tokens: as the endpoint counts them, else lines; "
        "thinking_tokens counts lines with reasoning_content."
    )

    def command(self, job: Job) -> list[str]:
        if job.requests % job.streams:
            raise ValueError("asb makes the same number of requests for each user")
        return [
            str(PEERS_BIN / "asb"),
            "speed",
            *("--endpoint", job.url, "--model", job.model),
            *("--users", str(job.streams), "--repetitions", str(job.requests // job.streams)),
            *("--context-tokens", str(PROMPT_TOKENS), "--max-tokens", str(ANSWER_TOKENS)),
            *("--format", "json", "--output", str(job.folder / "report.json")),
        ]

    def read(self, job: Job) -> Report:
        told = json.loads((job.folder / "report.json").read_text("utf-8"))
        (scenario,) = told["scenarios"]
        return Report.of([_call(one) for one in scenario["requests"]], _summary(told["summary"]))


def _call(told: dict[str, Any]) -> Call:
    """It counts a request without an error and with a token as one that succeeded."""
    outcome = "failed" if told["error"] else "answered" if told["completion_tokens"] else "empty"
    if outcome == "failed":
        return Call(began_at=told["request_id"], outcome=outcome)
    gaps = tuple(gap / 1e3 for gap in told["itl_ms"])
    thinking = "thinking_tokens" in told
    return Call(
        began_at=told["request_id"],
        outcome=outcome,
        ttft_s=told["ttft_ms"] / 1e3,
        visible_ttft_s=told["ttft_visible_ms"] / 1e3 if thinking else UNSET,
        total_s=told["total_time_s"],
        gaps_s=gaps,
        mean_gap_s=sum(gaps) / len(gaps) if gaps else None,
        prompt_tokens=told["prompt_tokens"],
        output_tokens=told["completion_tokens"],
        reasoning_tokens=told["thinking_tokens"] if thinking else None,
    )


def _summary(told: dict[str, Any]) -> Summary:
    return Summary(
        counted=told["successful"],
        apart=told["failed"],
        ttft_p50_s=told["ttft_ms"]["p50"] / 1e3,
        interval=False,
    )
