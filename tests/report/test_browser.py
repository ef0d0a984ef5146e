"""The page in a real browser: it draws, reaches for nothing, and fits."""

import re
from pathlib import Path

import msgspec
import pytest

from tithe.audit import compare
from tithe.report import audit_page, comparison_page

from .browser import COLLISIONS, EVIL, MARKS, PATIENCE, WIDER, needs_chromium

pytestmark = needs_chromium


TRUTHS = {
    "all is well": {"base_s": 0.05},
    "calls break": {"fails_every": 7, "free_valid_every": 0},
    "gave up": {"fails_after": 60},
    "no usage": {"reports_usage": False},
}


@pytest.fixture(params=[*TRUTHS, "compared"])
def file(report, request, tmp_path: Path) -> Path:
    written = tmp_path / "page.html"
    if request.param == "compared":
        page = comparison_page(compare([report(), report(base_s=0.05)], interleaved=False))
    else:
        page = audit_page(report(**TRUTHS[request.param]))
    written.write_text(page, "utf-8")
    return written


@pytest.fixture
def hostile(report, tmp_path: Path) -> Path:
    """The page of an endpoint whose every word would be a program."""
    found = report()
    task = found.measured.task
    runs = tuple(
        msgspec.structs.replace(
            run, messages=tuple(msgspec.structs.replace(one, content=EVIL) for one in run.messages)
        )
        for run in task.runs
    )
    measured = msgspec.structs.replace(found.measured, task=msgspec.structs.replace(task, runs=runs))
    endpoint = msgspec.structs.replace(found.endpoint, model=EVIL, url=EVIL)
    written = tmp_path / "page.html"
    page = msgspec.structs.replace(found, endpoint=endpoint, gave_up=EVIL, measured=measured)
    written.write_text(audit_page(page), "utf-8")
    return written


async def test_it_draws_and_fits_at_every_width_in_both_themes(chromium, file: Path):
    for width, scheme in ((1280, "light"), (1280, "dark"), (400, "light"), (400, "dark")):
        context = await chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        page = await context.new_page()
        said: list[str] = []
        asked: list[str] = []
        page.on("console", lambda message, said=said: said.append(message.text))
        page.on("pageerror", lambda error, said=said: said.append(str(error)))
        page.on("request", lambda request, asked=asked: asked.append(request.url))
        await page.goto(file.as_uri(), timeout=PATIENCE)
        drawn = await page.evaluate(MARKS)
        assert len(drawn) >= 4
        assert all(count > 0 for _, count in drawn), drawn
        await page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        assert await page.evaluate(WIDER) <= 0
        assert (said, asked) == ([], [file.as_uri()])
        await context.close()


async def test_a_hostile_endpoint_s_words_are_shown_and_not_run(chromium, hostile: Path):
    page = await chromium.new_page()
    await page.goto(hostile.as_uri(), timeout=PATIENCE)
    assert await page.title() == f"tithe audit: {EVIL}"
    assert await page.locator("h1").text_content() == EVIL
    assert await page.locator("img").count() == 0


@pytest.mark.parametrize("file", ["all is well"], indirect=True)
async def test_a_drawing_follows_its_window(chromium, file: Path):
    from playwright.async_api import expect

    page = await chromium.new_page(viewport={"width": 1280, "height": 900})
    await page.goto(file.as_uri(), timeout=PATIENCE)
    drawing = page.locator("#short-generations-0 [role=img]")
    wide = await drawing.get_attribute("width")
    await page.set_viewport_size({"width": 400, "height": 900})
    # Not by a script that polls inside the page: its policy lets none.
    await expect(drawing).to_have_attribute("width", re.compile(r"^[1-3]\d\d$"), timeout=PATIENCE)
    assert int(wide or 0) > 900
    assert await page.evaluate(WIDER) <= 0


KNEES = [(3.97, 3.06, 5.57), (1.02, 0.9, 1.3), (15.9, 12.0, 19.5), (4.0, None, None), (None, None, None)]


@pytest.fixture(params=KNEES, ids=str)
def kneed(report, with_knee, request, tmp_path: Path) -> tuple[Path, bool, bool]:
    """A page, and whether its charts have a knee, and an interval of it."""
    written = tmp_path / "page.html"
    written.write_text(audit_page(with_knee(report(base_s=0.05), *request.param)), "utf-8")
    at, low, _ = request.param
    return written, at is not None, low is not None


async def test_a_knee_is_marked_where_it_is_and_its_label_stands_free(chromium, kneed):
    written, known, bounded = kneed
    for width in (1280, 400):
        page = await chromium.new_page(viewport={"width": width, "height": 900})
        await page.goto(written.as_uri(), timeout=PATIENCE)
        for name in ("concurrency-0", "concurrency-1"):
            drawing = page.locator(f"#{name}")
            assert await drawing.locator("[aria-label^=knee]").count() == known
            assert await drawing.locator("[aria-label^='interval of the knee']").count() == bounded
            assert await drawing.locator("text", has_text="knee").count() == known
            assert await drawing.evaluate(COLLISIONS) == []
        await page.close()
