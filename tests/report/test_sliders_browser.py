"""The sliders in a real browser: they say what Python says, to the last digits, by mouse, by keys and by typing."""

import json
import re

import numpy as np
import pytest

from tithe.report.buckets import PARTS
from tithe.report.figures import number, seconds
from tithe.whatif import Change, Description, Program, Result, Settings, described_graph, run

from .browser import EVIL, PATIENCE, WIDER, needs_chromium
from .projections import any_graph, projected

MISSION = described_graph(Description(steps=10, tool_s=0.4, failed=1, retry_s=2.0))

pytestmark = needs_chromium


async def outcome(page) -> Result:
    sliders = page.locator(".sliders")
    told = json.loads(await sliders.get_attribute("data-buckets"))
    return Result(float(await sliders.get_attribute("data-wall")), tuple(told))


async def type_in(page, **typed: str) -> None:
    for key, words in typed.items():
        await page.locator(f"input[data-key={key}]").fill(words)


def settings_of(program: Program, typed: dict[str, str]) -> Settings:
    scales = {"ttft_s": 1.0 if (program.ttft_s or 0) >= 10 else 1e3, "retries": 100.0}
    told = {key: float(words) / scales.get(key, 1.0) for key, words in typed.items()}
    if "candidates" in told:
        told["candidates"] = int(told["candidates"])
    return Settings(**told)  # type: ignore[arg-type]


def same(found: Result, expected: Result) -> None:
    assert found.wall_s == pytest.approx(expected.wall_s, rel=1e-9, abs=1e-9)
    assert found.buckets == pytest.approx(expected.buckets, rel=1e-9, abs=1e-9)


CHANGES = {
    "nothing": Change(),
    "faster, with chance": Change(speedup=4, retries=0.1),
    "given": Change(ttft_s=0.2, tokens_per_s=150, tools=0.5, parallel_tools=True),
    "candidates, checked": Change(candidates=3, verify=True, speedup=2),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_wherever_they_are_put_they_say_what_python_says(opened, change: str):
    graphs = [any_graph(1000 * list(CHANGES).index(change) + seed) for seed in range(12)]
    html, _, program = projected(graphs, CHANGES[change])
    page = await opened(html)
    same(await outcome(page), run(program, Settings()))
    chance = np.random.default_rng(len(change))
    reset = page.get_by_role("button", name="Reset")
    for _ in range(6):
        typed = {
            "ttft_s": f"{chance.uniform(0, 4000):.6f}",
            "tokens_per_s": f"{chance.lognormal(4, 1):.6f}",
            "retries": f"{chance.uniform(0, 90):.6f}",
            "candidates": str(chance.integers(1, 6)),
            "tools": f"{chance.uniform(0, 5):.6f}",
        }
        some = {key: words for key, words in typed.items() if chance.random() < 0.7}
        if await reset.is_enabled():
            await reset.click()
        await type_in(page, **some)
        at = settings_of(program, some)
        same(await outcome(page), run(program, at))
        task = int(chance.integers(0, len(graphs)))
        await page.locator("select").select_option(index=task + 1)
        same(await outcome(page), run(program, at, task))
        await page.locator("select").select_option(index=0)


async def test_the_missions_example_is_typed_in(opened):
    html, found, program = projected([MISSION], Change())
    page = await opened(html)
    assert (await outcome(page)).wall_s == pytest.approx(found.wall.mean, rel=1e-12)
    said = page.locator(".said")
    assert await said.text_content() == "Nothing is moved: 25.3 s on average."
    await type_in(page, ttft_s="200", tokens_per_s="200")
    assert await said.text_content() == "With the sliders: 12.0 s on average, 2.11 times as fast as before."
    # The table is what Python writes of the same figures.
    result = run(program, Settings(ttft_s=0.2, tokens_per_s=200.0))
    rows = {
        (await row.locator("th").text_content()): await row.locator("td").all_text_contents()
        for row in await page.locator(".sliders tbody tr").all()
    }
    assert {name: cells[2] for name, cells in rows.items()} == {
        **{part.name: number(value) for part, value in zip(PARTS, result.buckets, strict=True) if value > 0},
        "wall clock, mean": number(result.wall_s),
    }
    bars = page.locator("#sliders-0-bars")
    assert await bars.locator("text", has_text=re.compile(f"^{seconds(result.wall_s)}$")).count() == 1
    assert await bars.locator("g[aria-label=bar] > *").count() > 8


async def test_a_slider_follows_its_box_and_its_box_follows_it_and_reset_puts_all_back(opened):
    from playwright.async_api import expect

    html, _, program = projected([MISSION], Change(ttft_s=0.3))
    page = await opened(html)
    reset = page.get_by_role("button", name="Reset")
    await expect(reset).to_be_disabled()
    range_, box = page.get_by_label("TTFT", exact=True), page.locator("input[data-key=ttft_s]")
    await expect(range_).to_have_attribute("aria-valuetext", "300 ms")
    await range_.focus()
    await range_.press("ArrowLeft")
    lower = float(await box.input_value())
    assert 250 < lower < 300
    same(await outcome(page), run(program, Settings(ttft_s=lower / 1e3)))
    # Back where it was, it is as projected, and not near it.
    await range_.press("ArrowRight")
    assert await box.input_value() == "300"
    await expect(reset).to_be_disabled()
    await type_in(page, ttft_s="30", candidates="3", tools="0")
    await expect(range_).to_have_attribute("aria-valuetext", "30 ms")
    assert float(await range_.input_value()) < 60
    await reset.click()
    same(await outcome(page), run(program, Settings()))
    assert [await one.input_value() for one in await page.locator(".sliders input[type=number]").all()] == [
        "300", "60", "9.09", "1", "1",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("key", "words"),
    [("ttft_s", "-1"), ("ttft_s", ""), ("tokens_per_s", "0"), ("retries", "95"), ("candidates", "1.5"), ("candidates", "9"), ("tools", "1e9")],
)  # fmt: skip
async def test_what_cannot_be_is_said_and_changes_nothing(opened, key: str, words: str):
    from playwright.async_api import expect

    html, _, program = projected([MISSION], Change())
    page = await opened(html)
    await type_in(page, **{key: words})
    same(await outcome(page), run(program, Settings()))
    await expect(page.locator(f"input[data-key={key}]")).to_have_attribute("aria-invalid", "true")
    await expect(page.get_by_role("alert").filter(has_text=re.compile("^Give a "))).to_be_visible()
    await type_in(page, **{key: "2"})
    assert await page.locator("[aria-invalid]").count() == 0


async def test_names_are_shown_and_not_run(opened):
    html, _, _ = projected([any_graph(3, name=EVIL), any_graph(4)], Change(speedup=2))
    page = await opened(html)
    assert await page.title() == "tithe whatif: 2 tasks"
    assert await page.locator("img").count() == 0
    assert (await page.locator("select option").all_text_contents())[1].startswith("</script>")


@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_it_draws_and_fits(opened, width: int, scheme: str):
    html, _, _ = projected([any_graph(seed, name="long name " * 8) for seed in range(3)], Change(speedup=2))
    page = await opened(html, width, scheme)
    assert await page.evaluate(WIDER) <= 0
    for name in ("ledgers-0", "knobs-0", "sliders-0-bars"):
        assert await page.locator(f"#{name} g[aria-label=bar] > *").count() > 2
    await type_in(page, tokens_per_s="0.1", ttft_s="3600000")
    assert await page.evaluate(WIDER) <= 0


async def test_narrow_tables_fit_and_a_wide_one_says_that_it_scrolls(opened):
    html, _, _ = projected([any_graph(seed) for seed in range(3)], Change(speedup=2))
    page = await opened(html, 400)
    cut = "e => [e.ariaLabel, e.scrollWidth > e.clientWidth, getComputedStyle(e).backgroundAttachment]"
    tables = [await one.evaluate(cut) for one in await page.locator(".scroll").all()]
    assert [name for name, hidden, _ in tables if hidden] == ["By task"]
    # The shadow at an end stays, and paper that moves along covers it where there is nothing more.
    assert all(shades == "local, local, scroll, scroll" for _, _, shades in tables)


async def test_its_bars_follow_the_window(opened):
    from playwright.async_api import expect

    html, _, _ = projected([MISSION], Change())
    page = await opened(html)
    await page.set_viewport_size({"width": 400, "height": 900})
    await expect(page.locator("#sliders-0-bars [role=img]")).to_have_attribute(
        "width", re.compile(r"^3\d\d$"), timeout=PATIENCE
    )
