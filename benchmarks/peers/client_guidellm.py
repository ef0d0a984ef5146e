"""vLLM's GuideLLM, by `guidellm run` and its JSON report, which has the statistics of every request.

It keeps no time for each chunk, only the first and the last with a token.
"""

from __future__ import annotations

import json
from typing import Any

from call import Call, Report
from client import ANSWER_TOKENS, PEERS_BIN, PROMPT_TOKENS, TOKENIZER, Job

from tithe.net.conformance import Summary


class GuideLLM:
    name = "guidellm"
    package = "guidellm"
    terms = (
        "TTFT (time_to_first_token_ms): 'the time taken to generate the first token of the output', from the request's "
        "first header to the first line with text, reasoning or a tool call. Total (request_latency): 'the time "
        "taken to process a single request, from start to finish', which is the stream's end. Gap "
        "(inter_token_latency_ms): first token to last over the tokens after the first. Tokens: as the endpoint counts "
        "them."
    )

    def command(self, job: Job) -> list[str]:
        return [
            str(PEERS_BIN / "guidellm"),
            "run",
            *("--backend", f"kind=openai_http,target={job.url},model={job.model},validate_backend=false"),
            *("--profile", f"kind=concurrent,streams={job.streams}"),
            *("--constraint", f"kind=max_requests,count={job.requests}"),
            *(
                "--data",
                f"kind=synthetic_text,prompt_tokens={PROMPT_TOKENS},output_tokens={ANSWER_TOKENS}",
            ),
            *("--tokenizer", f"kind=huggingface_auto,model={TOKENIZER}"),
            *("--output", f"kind=json,path={job.folder / 'report.json'}", "--disable-console-interactive"),
        ]

    def read(self, job: Job) -> Report:
        (benchmark,) = json.loads((job.folder / "report.json").read_text("utf-8"))["benchmarks"]
        told = benchmark["requests"]
        failed = [_call(one, failed=True) for one in told["errored"] or ()]
        calls = [_call(one, failed=False) for one in told["successful"] or ()]
        return Report.of(calls + failed, _summary(benchmark["metrics"]))


def _call(told: dict[str, Any], *, failed: bool) -> Call:
    timings = told["info"]["timings"]
    began_at = timings["request_start"] or timings["resolve_start"]
    if failed:
        return Call(began_at=began_at, outcome="failed")
    return Call(
        began_at=began_at,
        outcome="answered",
        ttft_s=_seconds(told["time_to_first_token_ms"]),
        visible_ttft_s=_seconds(told["time_to_first_output_token_ms"]),
        total_s=told["request_latency"],
        mean_gap_s=_seconds(told["inter_token_latency_ms"]),
        prompt_tokens=told["prompt_tokens"],
        output_tokens=told["output_tokens"],
        cached_tokens=told["cached_tokens"],
    )


def _summary(metrics: dict[str, Any]) -> Summary:
    totals, ttft = metrics["request_totals"], metrics["time_to_first_token_ms"]["successful"]
    # Where nothing was counted its percentiles are printed as 0.
    return Summary(
        counted=totals["successful"],
        apart=totals["errored"],
        ttft_p50_s=_seconds(ttft["percentiles"]["p50"]),
        interval=bool(ttft["percentile_cis"]) and ttft["percentile_cis"]["p50"] is not None,
    )


def _seconds(milliseconds: float | None) -> float | None:
    return milliseconds / 1e3 if milliseconds is not None else None
