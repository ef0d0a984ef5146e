"""Reports to print: audits of an endpoint whose answers are known, on a clock turned by hand."""

import asyncio
import functools
import io
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from tithe.audit import QUICK, AuditReport, Endpoint, Estimate, Knee, draw_tasks, run_audit
from tithe.audit.known import KnownEndpoint, KnownLag, KnownOptions
from tithe.core import FakeClock, ScriptedBackend
from tithe.report import print_audit
from tithe.world import solve

from .browser import CHROMIUM, FLAGS, PATIENCE


@pytest.fixture(scope="session")
def report() -> Callable[..., AuditReport]:
    """A report is frozen, so one made for one test serves every other that asks for the same truth."""

    solved = [solve(task).messages for task in draw_tasks(QUICK)]

    @functools.cache
    def make(lag: float = 0.0001, solves: tuple[int, ...] = (0, 1, 2), **truth: object) -> AuditReport:
        clock = FakeClock()
        known = KnownEndpoint(KnownOptions(**truth), [solved[task] for task in solves])  # type: ignore[arg-type]
        backend = ScriptedBackend(known, clock)
        at_once = KnownOptions(base_s=0.001, uncached_token_s=0.0, decode_s=1e-9)
        null = ScriptedBackend(KnownEndpoint(at_once), clock)

        async def main() -> AuditReport:
            work = run_audit(
                backend,
                Endpoint(url="http://127.0.0.1:8000/v1", model="known"),
                QUICK,
                null=null,
                watch=KnownLag(lag),
                clock=clock,
                salt="salt",
            )
            return await clock.run(asyncio.ensure_future(work), idle_turns=8)

        return asyncio.run(main())

    return make


@pytest.fixture
def with_knee() -> Callable[..., AuditReport]:
    """A report whose endpoint begins to let agents wait at `agents`, or nowhere."""

    def change(
        report: AuditReport, agents: float | None, low: float | None = None, high: float | None = None
    ) -> AuditReport:
        found = Estimate(value=agents, low=low, high=high, n=8) if agents is not None else None
        knee = Knee(agents=found, beyond=16, capacity_steps_per_s=40.0)
        concurrency = msgspec.structs.replace(report.measured.concurrency, knee=knee)
        measured = msgspec.structs.replace(report.measured, concurrency=concurrency)
        return msgspec.structs.replace(report, measured=measured)

    return change


@pytest.fixture
def printed() -> Callable[..., str]:
    def show(report: AuditReport, width: int = 80) -> str:
        out = io.StringIO()
        print_audit(report, Console(file=out, width=width, no_color=True))
        return out.getvalue()

    return show


@pytest.fixture
async def chromium():
    from playwright.async_api import async_playwright, expect

    expect.set_options(timeout=PATIENCE)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS, timeout=PATIENCE)
        yield browser
        await browser.close()


@pytest.fixture
async def opened(chromium, tmp_path: Path):
    """Opens a page; whatever it said or asked for by the end fails the test."""
    said: list[str] = []
    asked: list[str] = []
    file = tmp_path / "opened.html"

    async def open_(html: str, width: int = 1280, scheme: str = "light"):
        file.write_text(html, "utf-8")
        context = await chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        page = await context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("dialog", lambda dialog: said.append(f"dialog: {dialog.message}"))
        page.on("request", lambda request: asked.append(request.url))
        await page.goto(file.as_uri(), timeout=PATIENCE)
        return page

    yield open_
    assert said == []
    assert set(asked) <= {file.as_uri()}
