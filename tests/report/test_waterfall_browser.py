"""The waterfall in a real browser: it draws few rows of many, and does what it is told by mouse and keys."""

import re
from pathlib import Path

import pytest

from tithe.report.ledger_page import ledger_page

from .browser import PATIENCE, WIDER, needs_chromium
from .ledgers import EVIL, diagnosis, proxied, reported

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def long() -> str:
    return ledger_page(proxied(500), diagnosis(500))


@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("kind", ["proxied", "reported"])
async def test_it_draws_and_fits(opened, width: int, scheme: str, kind: str):
    ledger = proxied() if kind == "proxied" else reported()
    page = await opened(ledger_page(ledger, diagnosis() if kind == "proxied" else None), width, scheme)
    from playwright.async_api import expect

    await expect(page.locator(".waterfall .row").first).to_be_visible()
    assert await page.locator(".waterfall .row rect.path").count() > 5
    assert await page.locator(".waterfall .row path.first").count() > 1
    assert await page.locator(".drawing [role=img]").count() >= 5
    await page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert await page.evaluate(WIDER) <= 0


async def test_what_nobody_saw_is_hatched_and_what_was_seen_from_outside_dashed(opened):
    page = await opened(ledger_page(proxied(), diagnosis()))
    rows = page.locator(".waterfall .row")
    assert await rows.nth(1).locator(".gap").get_attribute("fill") == "url(#hatch-grey)"
    assert await page.locator("#hatch-grey").count() == 1
    tool = rows.filter(has_text="run_tests")
    assert await tool.locator("rect.outside").count() == 1
    assert await tool.locator("rect.path").count() == 1


async def test_of_five_hundred_steps_only_rows_in_view_are_in_the_document(opened, long: str):
    from playwright.async_api import expect

    page = await opened(long)
    rows = page.locator(".waterfall .row")
    await expect(rows.first).to_be_visible()
    assert len(proxied(500).bars) > 1100
    assert await rows.count() < 40
    await page.locator(".waterfall .rows").evaluate("one => one.scrollTop = one.scrollHeight")
    await expect(rows.last).to_contain_text("500 ")
    assert await rows.count() < 40
    # At the end of the rows their bars are at the end of the time.
    box, track = (
        await rows.last.locator("rect.path").bounding_box(),
        await rows.last.locator("svg").bounding_box(),
    )
    assert box["x"] > track["x"] + 0.95 * track["width"]


async def test_few_rows_leave_no_blank_space_and_more_than_fit_are_told(opened, long: str):
    from playwright.async_api import expect

    page = await opened(ledger_page(reported(1)))
    rows, more = page.locator(".waterfall .rows"), page.locator(".waterfall .more")
    await expect(page.locator(".waterfall .row").first).to_be_visible()
    height = (await rows.bounding_box())["height"]
    assert height <= len(reported(1).bars) * 24 + 4
    await expect(more).to_be_hidden()
    page = await opened(long)
    rows, more = page.locator(".waterfall .rows"), page.locator(".waterfall .more")
    await expect(more).to_have_text("↓ rows 1 to 18 of 1,164: scroll for the others")
    await rows.evaluate("one => one.scrollTop = one.scrollHeight")
    await expect(more).to_have_text("↑ rows 1,147 to 1,164 of 1,164: scroll for the others")
    await page.get_by_label("errors only").check()
    await page.get_by_label("Find rows by name").fill("nothing is called so")
    await expect(more).to_be_hidden()


async def test_a_search_finds_rows_with_what_they_stand_in_and_boxes_narrow_it(opened, long: str):
    from playwright.async_api import expect

    page = await opened(long)
    rows, status = page.locator(".waterfall .row"), page.locator(".waterfall output")
    runs = next(row.runs for row in proxied(500).tools if row.name == "run_tests")
    await page.get_by_label("Find rows by name").fill("RUN_tests")
    await expect(status).to_have_text(f"{runs} of 1,164 rows")
    await expect(rows.nth(1)).to_contain_text("run_tests")
    await page.get_by_label("critical path only").check()
    await expect(status).to_have_text(f"{runs} of 1,164 rows")
    await page.get_by_label("critical path only").uncheck()
    await page.get_by_label("Find rows by name").fill("")
    await page.get_by_label("errors only").check()
    await expect(status).to_have_text("20 of 1,164 rows")
    # Each failed attempt with its call and the task.
    await expect(rows.nth(0)).to_contain_text("task")
    await expect(rows.nth(1)).to_contain_text("5 ")
    await expect(rows.nth(2)).to_contain_text("429")


async def test_a_row_that_is_chosen_tells_its_details(opened, long: str):
    from playwright.async_api import expect

    page = await opened(long)
    await page.locator(".waterfall .row").nth(7).click()
    chosen = page.locator(".waterfall .chosen")
    bar = proxied(500).bars[7]
    await expect(chosen.locator("h4")).to_contain_text(bar.name)
    assert await chosen.locator("dt").all_text_contents() > []
    await expect(chosen).to_contain_text("on the critical path")
    await page.keyboard.press("Tab")
    await page.locator(".waterfall .rows").focus()
    await page.keyboard.press("ArrowDown")
    await expect(chosen.locator("h4")).to_contain_text(proxied(500).bars[8].name)
    await expect(page.locator(".waterfall .rows")).to_have_attribute(
        "aria-activedescendant", "waterfall-0-row-8"
    )


def ends(text: str | None) -> list[float]:
    return [float(one.replace(",", "")) for one in re.findall(r"[\d.,]+", text or "")]


async def axis(page) -> list[float]:
    texts = await page.locator(".waterfall .axis text").all_text_contents()
    return [value for text in texts for value in ends(text)]


async def test_time_is_zoomed_and_moved_by_buttons_keys_wheel_drag_and_brush(opened, long: str):
    from playwright.async_api import expect

    page = await opened(long)
    first = page.locator(".waterfall .axis text").first
    whole = await axis(page)
    assert whole[0] == 0
    await page.get_by_role("button", name="Zoom in", exact=True).click()
    await expect(first).not_to_have_text("0")
    half = await axis(page)
    assert half[-1] - half[0] < 0.6 * (whole[-1] - whole[0]) + 1
    rows = page.locator(".waterfall .rows")
    await rows.focus()
    await page.keyboard.press("ArrowRight")
    await expect(first).not_to_have_text(f"{half[0]:.0f}")
    assert (await axis(page))[0] > half[0]
    await page.keyboard.press("0")
    await expect(first).to_have_text("0")
    # The wheel with Ctrl zooms at the pointer.
    box = await page.locator(".waterfall .row svg").first.bounding_box()
    await page.mouse.move(box["x"] + 2, box["y"] + 100)
    await page.keyboard.down("Control")
    for _ in range(12):
        await page.mouse.wheel(0, -200)
    await page.keyboard.up("Control")
    await expect(page.locator(".waterfall .axis text").last).to_have_text(
        re.compile(r"^\d\.?\d* s$|^1\d s$|^[1-9]\d s$")
    )
    assert 0 < (await axis(page))[0] < 5
    # A drag of a row moves along.
    before = await axis(page)
    await page.mouse.move(box["x"] + 500, box["y"] + 100)
    await page.mouse.down()
    await page.mouse.move(box["x"] + 100, box["y"] + 100, steps=4)
    await page.mouse.up()
    await expect(first).not_to_have_text(f"{before[0]:g}")
    # A drag over the strip looks at that stretch, and the rows follow.
    strip = await page.locator(".waterfall .strip").bounding_box()
    await page.mouse.move(strip["x"] + 0.5 * strip["width"], strip["y"] + 10)
    await page.mouse.down()
    await page.mouse.move(strip["x"] + 0.52 * strip["width"], strip["y"] + 10, steps=4)
    await page.mouse.up()
    await expect(first).to_have_text(re.compile(r"^3[89]\d"))
    await expect(page.locator(".waterfall .row").nth(6)).to_contain_text(
        re.compile("2[3-6]\\d |file|search|tests")
    )
    assert await page.locator(".waterfall .row rect.path").count() > 3


async def test_what_is_inside_a_row_is_folded_away(opened):
    from playwright.async_api import expect

    page = await opened(ledger_page(proxied(), diagnosis()))
    rows = page.locator(".waterfall .row")
    attempts = rows.filter(has_text="attempt")
    await expect(attempts).to_have_count(3)
    await rows.filter(has_text="5 qwen").locator(".caret").click()
    await expect(attempts).to_have_count(0)
    await page.get_by_role("button", name="Unfold all rows").click()
    await expect(attempts).to_have_count(3)
    await page.get_by_role("button", name="Fold all rows that hold others").click()
    await expect(attempts).to_have_count(0)
    await rows.filter(has_text="5 qwen").click()
    await page.locator(".waterfall .rows").focus()
    await page.keyboard.press("Enter")
    await expect(attempts).to_have_count(3)


async def test_no_one_s_words_are_run_or_obeyed(opened):
    from playwright.async_api import expect

    page = await opened(ledger_page(proxied(8, EVIL), diagnosis(8, EVIL)))
    rows = page.locator(".waterfall .row")
    await expect(rows.nth(2)).to_contain_text(
        '</script><script>alert(1)</script><img src=x onerror="alert(2)">\\u202egnp'
    )
    await rows.nth(2).click()
    await expect(page.locator(".waterfall .chosen h4")).to_contain_text("<img src=x")
    await page.locator("#tools-0 [role=img]").hover()
    assert await page.locator("img").count() == 0
    assert await page.locator("script").count() == 5
    assert "alert(1)" in await page.locator("h1").text_content()


async def test_without_scripts_the_tables_read(chromium, tmp_path: Path):
    file = tmp_path / "ledger.html"
    file.write_text(ledger_page(proxied(), diagnosis()), "utf-8")
    context = await chromium.new_context(java_script_enabled=False)
    page = await context.new_page()
    await page.goto(file.as_uri(), timeout=PATIENCE)
    text = await page.locator("main").inner_text()
    assert "Charts need a script" in text
    assert "not instrumented, tools not reported" in text
    await page.get_by_text("Every row").click()
    assert await page.get_by_role("row").filter(has_text="attempt, 429").is_visible()
