"""Endpoints that misbehave, each in one way: what cannot be measured is said and why, and the rest is measured."""

import contextlib
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tithe.audit import AuditReport
from tithe.cli.main import run
from tithe.net.scripted import Received, Reply

from .endpoint import HTML, SHORT_S, Endpoint, answer, chunk, refusal, serving, whole

PLAN = (
    "--lengths", "64,256", "--repeats", "3", "--prefix", "64", "--totals", "8", "--step-out", "10",
    "--step-in", "20", "--chat-in", "64", "--chat-out", "24", "--chat-repeats", "1", "--precision", "0",
    "--structured-tokens", "64", "--concurrency", "1,2", "--agent-steps", "2", "--rounds", "1", "--think-s", "0",
    "--arrivals", "2", "--task-repeats", "1", "--task-steps", "2", "--task-out", "32",
)  # fmt: skip
PAIRS, TOTALS, STRUCTURED, CONCURRENCY, TASK = MEASURED = (
    "pairs",
    "totals",
    "structured",
    "concurrency",
    "task",
)


class Told:
    """What an audit of `url` printed, saved and ended with."""

    def __init__(self, url: str, folder: Path, capsys: pytest.CaptureFixture[str], *flags: str) -> None:
        saved = folder / "report.json"
        self.status = run(["audit", url, *PLAN, "--save", str(saved), *flags])
        out, err = capsys.readouterr()
        self.out, self.err = (" ".join(text.split()) for text in (out, err))
        assert "Traceback" not in out + err
        self.report = msgspec.json.decode(saved.read_bytes(), type=AuditReport) if saved.exists() else None

    @property
    def figures(self) -> tuple[str, ...]:
        """The measurements that have a figure."""
        assert self.report is not None
        found = self.report.measured
        has = {
            PAIRS: found.pairs.figures.longest is not None,
            TOTALS: found.totals.figures.chat.measured_step_s is not None,
            STRUCTURED: any(arm.valid is not None for arm in found.structured.figures),
            CONCURRENCY: any(row.step_s is not None for row in found.concurrency.figures),
            TASK: found.task.figures.solved is not None,
        }
        return tuple(name for name in MEASURED if has[name])


@pytest.fixture
def audited(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Told]:
    return lambda url, *flags: Told(url, tmp_path, capsys, *flags)


@pytest.fixture
def served(audited: Callable[..., Told]) -> Callable[..., Told]:
    def serve(by: Callable[[Received], Reply], *flags: str) -> Told:
        with serving(by) as server:
            return audited(server.url, *flags)

    return serve


def every(nth: int, bad: Reply) -> Callable[[dict[str, Any], int], Reply | None]:
    """Each nth completion after the warm-up goes wrong."""
    return lambda _, number: bad if number >= 5 and number % nth == 0 else None


# What ends the command: nothing could be measured.


def test_nobody_listens(audited):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, and not listening
        told = audited(f"http://127.0.0.1:{taken.getsockname()[1]}/v1")
    assert told.status == 1
    assert "took no connection (Connection refused)" in told.err


def test_the_path_is_wrong(served):
    told = served(lambda _: Reply(status=404, headers=HTML, chunks=[(0.0, b"<h1>Not Found</h1>")]))
    assert told.status == 1
    assert "HTTP 404: <h1>Not Found</h1>" in told.err
    assert "name one with --model" in told.err


def test_it_is_no_api_at_all(served):
    told = served(lambda _: Reply(headers=HTML, chunks=[(0.0, b"<h1>Welcome</h1>")]))
    assert told.status == 1
    assert "did not answer with a list of models" in told.err


@contextlib.contextmanager
def answering(once: Callable[[socket.socket], object]) -> Iterator[int]:
    """The port of a server that does `once` with the connection that it gets."""

    def serve() -> None:
        accepted, _ = listening.accept()
        with accepted, contextlib.suppress(OSError):
            once(accepted)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        thread.join()


def test_it_speaks_no_tls(audited):
    def refuse(accepted: socket.socket) -> None:
        accepted.recv(100)
        accepted.sendall(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")

    with answering(refuse) as port:
        told = audited(f"https://127.0.0.1:{port}/v1")
    assert told.status == 1
    assert "failed the TLS handshake" in told.err


def test_its_certificate_is_nobodys(audited, tmp_path):
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs openssl to make a certificate")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    made = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "2"]
    subprocess.run(
        [openssl, *made, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with answering(lambda accepted: context.wrap_socket(accepted, server_side=True)) as port:
        told = audited(f"https://127.0.0.1:{port}/v1")
    assert told.status == 1
    assert "failed the TLS handshake" in told.err
    assert "certificate" in told.err


@pytest.mark.parametrize(
    ("status", "said"), [(401, "Incorrect API key provided."), (404, "The model 'nope' does not exist.")]
)
def test_the_key_or_the_model_is_wrong(served, status, said):
    endpoint = Endpoint(lambda *_: refusal(status, said))
    told = served(endpoint, "--model", "nope")
    assert told.status == 1
    assert "did not answer the first warm-up call: http" in told.err
    assert f"HTTP {status}: {said}" in told.err
    assert endpoint.calls == 1


def test_it_turns_every_call_away(served):
    endpoint = Endpoint(lambda *_: refusal(429, "Out of credit.", retry_after="0"))
    told = served(endpoint)
    assert told.status == 1
    assert "HTTP 429: Out of credit." in told.err
    assert endpoint.calls == 4


def test_it_stalls_from_the_first_call_on(served):
    start = time.monotonic()
    told = served(Endpoint(lambda *_: Reply(chunks=[(60.0, b"")])), "--timeout", "1")
    assert told.status == 1
    assert "fell silent for 1 s" in told.err
    assert time.monotonic() - start < 30


# What is told, while the rest is measured.


def test_a_good_endpoint_is_measured_whole(served):
    told = served(Endpoint())
    assert (told.status, told.err) == (0, "")
    assert told.figures == MEASURED
    assert "none failed" in told.out


def test_it_turns_calls_away_and_says_for_how_long(served):
    endpoint = Endpoint(every(9, refusal(429, "Slow down.", retry_after_ms="20")))
    told = served(endpoint)
    assert told.status == 0
    assert told.figures == MEASURED
    assert told.report.failures >= len(told.report.refused) > 3
    assert told.report.calls == endpoint.calls
    assert told.report.waited_s >= 0.015 * len(told.report.refused)
    assert "failed: refused with HTTP 429: Slow down." in told.out
    assert "calls away for now, with a Retry-After; the audit waited" in told.out
    # What was asked again stands in for what was refused: no pair lacks a call.
    assert not any(row.failed for row in told.report.measured.pairs.figures.lengths)


def test_it_turns_a_call_away_and_does_not_say_for_how_long(served):
    told = served(Endpoint(lambda _, number: refusal(429, "Slow down.") if number == 12 else None))
    assert (told.status, told.figures) == (0, MEASURED)
    assert "turned 1 call away for now, without a Retry-After" in told.out
    assert told.report.waited_s >= 0.9


def test_an_hour_is_not_waited_for(served):
    told = served(Endpoint(every(9, refusal(429, "Quota.", retry_after="3600"))))
    assert (told.status, told.figures) == (0, MEASURED)
    assert told.report.waited_s == 0.0
    assert "failed: refused with HTTP 429: Quota." in told.out


def test_it_serves_one_agent_at_a_time(served):
    """More than one at once is turned away: that is what the concurrency is to show, and nothing is given up."""
    busy = [0.0]

    def one_at_a_time(body: dict[str, Any], _: int) -> Reply | None:
        now = time.monotonic()
        if now < busy[0]:
            return refusal(429, "One at a time.", retry_after="0")
        busy[0] = now + 2 * SHORT_S
        return None

    told = served(Endpoint(one_at_a_time), "--concurrency", "1,8", "--give-up-after", "5")
    assert (told.status, told.report.gave_up) == (0, None)
    assert told.figures == MEASURED
    assert told.report.measured.concurrency.figures[-1].failed > 0
    assert "of concurrency failed: refused with HTTP 429: One at a time." in told.out


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        pytest.param(
            Reply(
                chunks=[(0.0, chunk({"content": "so"}) + b'data: {"error": {"message": "CUDA died"}}\n\n')]
            ),
            "The endpoint answered with an error: CUDA died",
            id="an error event under HTTP 200",
        ),
        pytest.param(
            Reply(chunks=[(0.0, chunk({"content": "so"}))], cut=True),
            "closed the connection before its response ended",
            id="a connection cut in the middle",
        ),
        pytest.param(
            Reply(chunks=[(0.0, chunk({"content": "so"}))]),
            "ended without a finish reason or [DONE]",
            id="a stream that just ends",
        ),
        pytest.param(
            Reply(chunks=[(0.0, chunk({"content": "so"}).replace(b"so", b"\xff\xfe"))]),
            "something that is no Chat Completions answer",
            id="invalid UTF-8",
        ),
        pytest.param(whole({"error": {"message": "Oops"}}, 500), "refused with HTTP 500: Oops", id="500"),
        pytest.param(
            Reply(chunks=[(0.0, chunk({}, "stop") + b"data: [DONE]\n\n")]), "came back empty", id="nothing"
        ),
    ],
)
def test_some_of_its_answers_are_none(served, bad, why):
    told = served(Endpoint(every(10, bad)))
    assert (told.status, told.figures) == (0, MEASURED)
    assert why in told.out
    assert "In no figure: " in told.out


@pytest.mark.parametrize(
    ("stalled", "why"),
    [
        (Reply(chunks=[(0.0, chunk({"content": "so"})), (60.0, b"")]), "fell silent for 1 s"),
        (
            Reply(chunks=[(0.0, chunk({"content": "so"})), *[(0.3, b": still there\n\n")] * 100]),
            "sent no token for 1 s",
        ),
    ],
)
def test_a_stream_stalls(served, stalled, why):
    start = time.monotonic()
    told = served(Endpoint(lambda _, number: stalled if number in (8, 30) else None), "--timeout", "1")
    assert (told.status, told.figures) == (0, MEASURED)
    assert f"failed: {why}" in told.out
    assert time.monotonic() - start < 60


def test_it_reports_no_usage(served):
    told = served(Endpoint(usage=False))
    assert (told.status, told.figures) == (0, MEASURED)
    assert "n/r: the endpoint does not report cached tokens." in told.out
    assert "assumed: no usage was reported" in told.out


def test_it_takes_no_tools(served):
    said = "tools are not supported by this model"
    told = served(Endpoint(lambda body, _: refusal(400, said) if "tools" in body else None))
    assert told.status == 0
    assert told.figures == (PAIRS, TOTALS, STRUCTURED, CONCURRENCY)
    why = f"the endpoint refused with HTTP 400: {said}"
    assert f"call constrained, call free: not measured, {why}" in told.out
    assert (
        f"Task not measured The endpoint does not take its calls: refused with HTTP 400: {said}" in told.out
    )
    valid = {arm.arm: arm.valid is not None for arm in told.report.measured.structured.figures}
    assert valid == {
        "call constrained": False,
        "call free": False,
        "json constrained": True,
        "json free": True,
    }
    # An arm that is refused is asked for once, and the task twice: with a temperature and without.
    assert told.report.failures == 4


def test_it_takes_no_response_format(served):
    said = "response_format is not supported"
    told = served(Endpoint(lambda body, _: refusal(422, said) if "response_format" in body else None))
    assert (told.status, told.figures) == (0, MEASURED)
    assert f"json constrained: not measured, the endpoint refused with HTTP 422: {said}" in told.out
    assert told.report.failures == 1


def test_limits_that_are_too_small_take_whole_measurements(served):
    # The least: 5 to warm up, 6 pairs, 4 generations, 8 structured answers, 7 agents' steps, 5 for a task.
    told = served(Endpoint(), "--max-requests", "29")
    assert told.status == 0
    assert "concurrency is left out: --max-requests 29 is too little for it." in told.err
    assert told.figures == (PAIRS, TOTALS, STRUCTURED, TASK)
    assert "Concurrency left out --max-requests 29 leaves" in told.out
    assert told.report.calls <= 29


def test_the_answer_that_the_others_get_is_one():
    """The endpoint that these tests bend is whole where it is not bent."""
    told = b"".join(data for _, data in answer({"messages": [], "max_tokens": 3}).chunks)
    assert told.count(b" word") == 3
    assert told.endswith(b"data: [DONE]\n\n")


def test_it_has_too_little_context_for_most_prompts(served):
    said = "This model has a context of 100 tokens."

    def fits(body: dict[str, Any], number: int) -> bool:
        return number < 5 or "tools" in body or "a repository of files" in str(body["messages"])

    endpoint = Endpoint(lambda body, number: None if fits(body, number) else refusal(400, said))
    told = served(endpoint, "--give-up-after", "3")
    assert (told.status, told.figures) == (0, (STRUCTURED, TASK))
    assert told.report.failures == 4
    assert f"256 tokens: not measured, the endpoint refused with HTTP 400: {said}" in told.out
    assert told.out.count(f"The endpoint does not take its calls: refused with HTTP 400: {said}") >= 3
