"""NVIDIA's AIPerf, by `aiperf profile` and its `profile_export.jsonl`, a record a request.

What a record lacks, AIPerf did not find: it leaves a metric out where it cannot be told. Where every request failed it says
so, and writes no statistics.
"""

from __future__ import annotations

import json
from typing import Any

from call import Call, Report
from client import ANSWER_TOKENS, PEERS_BIN, PROMPT_TOKENS, TOKENIZER, Job

from tithe.net.conformance import Summary


class AIPerf:
    name = "aiperf"
    package = "aiperf"
    terms = (
        "TTFT (time_to_first_token): 'first response timestamp - request start timestamp', where a response holds content. "
        "Total (request_latency): to the last such response. Tokens: as the endpoint counts them "
        "(--use-server-token-count)."
    )

    def command(self, job: Job) -> list[str]:
        return [
            str(PEERS_BIN / "aiperf"),
            "profile",
            *("--model", job.model, "--url", job.url, "--endpoint-type", "chat", "--streaming"),
            *("--concurrency", str(job.streams), "--request-count", str(job.requests)),
            *("--tokenizer", str(TOKENIZER), "--use-server-token-count"),
            *("--isl", str(PROMPT_TOKENS), "--osl", str(ANSWER_TOKENS)),
            *("--artifact-dir", str(job.folder), "--ui", "none"),
            *("--no-gpu-telemetry", "--no-server-metrics"),
        ]

    def read(self, job: Job) -> Report:
        lines = (job.folder / "profile_export.jsonl").read_text("utf-8").splitlines()
        calls = [_call(json.loads(line)) for line in lines if line]
        statistics = job.folder / "profile_export_aiperf.json"
        if not statistics.exists():
            return Report.of(calls, Summary(counted=0, apart=len(calls), ttft_p50_s=None, interval=False))
        return Report.of(calls, _summary(json.loads(statistics.read_text("utf-8"))))


def _call(record: dict[str, Any]) -> Call:
    began_at = record["metadata"]["request_start_ns"] / 1e9
    if record.get("error"):
        return Call(began_at=began_at, outcome="failed")
    told = {name: metric["value"] for name, metric in record["metrics"].items()}
    gaps = told.get("inter_chunk_latency")
    return Call(
        began_at=began_at,
        outcome="answered",
        ttft_s=_seconds(told.get("time_to_first_token")),
        visible_ttft_s=_seconds(told.get("time_to_first_output_token")),
        total_s=_seconds(told.get("request_latency")),
        gaps_s=tuple(gap / 1e3 for gap in gaps or ()),
        mean_gap_s=_seconds(told.get("inter_token_latency")),
        prompt_tokens=told.get("usage_prompt_tokens"),
        output_tokens=told.get("output_sequence_length"),
        reasoning_tokens=told.get("usage_reasoning_tokens"),
        cached_tokens=told.get("usage_prompt_cache_read_tokens"),
    )


def _summary(told: dict[str, Any]) -> Summary:
    return Summary(
        counted=round(told.get("request_count", {}).get("avg", 0)),
        apart=round(told.get("error_request_count", {}).get("avg", 0)),
        ttft_p50_s=_seconds(told.get("time_to_first_token", {}).get("p50")),
        interval=False,
    )


def _seconds(milliseconds: float | None) -> float | None:
    return milliseconds / 1e3 if milliseconds is not None else None
