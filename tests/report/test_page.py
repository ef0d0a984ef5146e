"""The frame of a page, without a browser: what it holds, what it lets through, and what draws it."""

import base64
import hashlib
import itertools
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import tithe.report
from tithe.report.audit_figures.task import PARTS
from tithe.report.drawing import Axis, Interval, Part, Point, Row, Samples, Series, Stacks
from tithe.report.headline import Headline
from tithe.report.page import Fact, Figure, Page, Panel, Table, json_for_script, render

CHARTS = Path(tithe.report.__file__).parent / "charts"
EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\" ' & \u2028\u2029<!--"


class Reader(HTMLParser):
    """Collects tags, their attributes, and the text of scripts and of all else."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.text = ""
        self._inside = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self._inside = tag
            self.scripts += [""] * (tag == "script")

    def handle_endtag(self, tag):
        if tag == self._inside:
            self._inside = ""

    def handle_data(self, data):
        if self._inside == "script":
            self.scripts[-1] += data
        elif not self._inside:
            self.text += data

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def samples(*, told: str = "12 ms", values: tuple[float, ...] = (1.0, 2.0)) -> Samples:
    points = tuple(Point(at="a", value=value, told=told) for value in values)
    figures = (Interval(at="a", value=1.5, low=None, high=None, told=told),) if values else ()
    return Samples(
        along="x",
        position=Axis(label=told, scale="category", values=("a",)),
        value=Axis(label="time (ms)"),
        series=(Series(name=told, colour="blue", points=points, intervals=figures),),
    )


def page(words: str = "words") -> Page:
    shown = Panel(title=words, drawing=samples(told=words), empty="Nothing to draw.")
    figure = Figure(
        anchor="first",
        title=words,
        panels=(shown, Panel(title="empty", drawing=samples(values=()), empty=f"Why: {words}")),
        reading=words,
        caption=(words,),
        formulas=(words,),
        tables=(Table(title=words, heads=(words, "ms"), rows=((words, words),)),),
    )
    return Page(
        kind="tithe audit",
        title=words,
        facts=(Fact(name=words, value=words),),
        alerts=(words,),
        headlines=(Headline(about="Cache", outcome=words, sentence=words, good=True),),
        anchors={"Cache": "first"},
        figures=(figure,),
        notes=(words,),
    )


def test_whatever_a_string_holds_it_stays_text():
    read = Reader(render(page(EVIL)))
    assert len(read.named("script")) == 4
    assert read.named("img") == []
    assert not [
        attributes for _, attributes in read.tags if any(name.startswith("on") for name in attributes)
    ]
    # Everywhere that the words were given they can be read, as they are.
    assert read.text.count("<img src=x onerror=alert(2)>") >= 12


def test_the_data_can_not_end_its_script_and_comes_back_as_it_was():
    written = json_for_script({EVIL: [EVIL]})
    assert not set(written) & set("<>&\u2028\u2029")
    assert json.loads(written) == {EVIL: [EVIL]}
    data = Reader(render(page(EVIL))).scripts[0]
    assert json.loads(data)["first-0"]["series"][0]["name"] == EVIL


def test_it_reaches_for_nothing():
    read = Reader(render(page()))
    assert [attributes["href"] for attributes in read.named("a")] == ["#first"]
    for _, attributes in read.tags:
        assert not {"src", "srcset", "action", "data", "poster"} & set(attributes)
    assert not {"link", "iframe", "object", "embed", "form", "base"} & {tag for tag, _ in read.tags}
    style = re.search(r"<style>(.*?)</style>", render(page()), re.DOTALL)
    assert style is not None
    assert not re.search(r"url\(|@import|@font-face", style[1])


def test_the_policy_names_the_scripts_and_allows_nothing_else():
    read = Reader(render(page()))
    policy = next(one["content"] for one in read.named("meta") if "http-equiv" in one)
    digests = [
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
        for script in read.scripts[1:]
    ]
    assert policy is not None
    assert policy.split("; ") == [
        "default-src 'none'",
        f"script-src {' '.join(digests)}",
        "style-src 'unsafe-inline'",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    assert read.named("script")[0] == {"type": "application/json", "id": "drawings"}


def test_a_panel_without_marks_says_why_in_its_place():
    read = Reader(render(page()))
    assert [one["id"] for one in read.named("div") if one.get("class") == "drawing"] == ["first-0"]
    assert "Why: words" in read.text
    assert list(json.loads(read.scripts[0])) == ["first-0"]


def test_every_figure_has_a_name_a_caption_and_its_table():
    html = render(page())
    read = Reader(html)
    section = next(one for one in read.named("section") if one.get("class") == "finding")
    assert section["aria-labelledby"] in {one.get("id") for one in read.named("h2")}
    assert len(read.named("figcaption")) == len(read.named("table")) == 1
    assert [one["scope"] for one in read.named("th")] == ["col", "col", "row"]
    assert html.startswith('<!doctype html>\n<html lang="en">')


def test_no_line_breaks_between_a_number_and_its_unit():
    html = render(page("takes 10.9 ms of 3 s, 5 % at 820 tok/s, 3 steps"))
    assert "takes 10.9\u00a0ms of 3\u00a0s, 5\u00a0% at 820\u00a0tok/s, 3 steps</h2>" in html


def test_bars_are_data_too():
    row = Row(name="1 lookup", values=(0.5, 0.0), told=("TTFT: 0.5 s", "tools: 0"), end="solved")
    bars = Stacks(
        label="s", parts=(Part(name="TTFT", colour="blue"), Part(name="tools", colour="green")), rows=(row,)
    )
    assert json.loads(json_for_script(bars))["kind"] == "stacks"


@pytest.mark.parametrize("name", ["vendor/d3.min.js", "vendor/plot.umd.min.js", "draw.js", "waterfall.js"])
def test_a_script_can_stand_in_a_page_as_it_is(name: str):
    script = (CHARTS / name).read_bytes().decode()
    assert not re.search(r"</script|<!--|\r", script, re.IGNORECASE)


def test_what_is_vendored_is_what_is_written_down():
    told = (CHARTS / "vendor" / "README.md").read_text("utf-8")
    rows = re.findall(r"^\| `([\w.]+)` \|.*`(\w+\.LICENSE)` \| `([0-9a-f]{64})` \|$", told, re.MULTILINE)
    assert [name for name, *_ in rows] == ["d3.min.js", "plot.umd.min.js"]
    html = Reader(render(page())).text
    for name, licence, digest in rows:
        assert hashlib.sha256((CHARTS / "vendor" / name).read_bytes()).hexdigest() == digest
        text = (CHARTS / "vendor" / licence).read_text("utf-8")
        assert "Permission to use, copy, modify" in text
        assert text in html


def themes() -> dict[str, dict[str, str]]:
    """The colours of page.css by name, in each theme."""
    light, dark = re.findall(r":root \{(.*?)\}", (CHARTS / "page.css").read_text("utf-8"), re.DOTALL)[:2]
    found = re.compile(r"--([\w-]+): (#[0-9a-f]{6});")
    return {"light": dict(found.findall(light)), "dark": dict(found.findall(dark))}


def contrast(one: str, other: str) -> float:
    """WCAG 2's contrast ratio."""

    def luminance(colour: str) -> float:
        parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_words_and_marks_stand_out_from_the_paper(theme: str):
    colours = themes()[theme]
    assert set(themes()["light"]) == set(themes()["dark"])
    for name in ("ink", "faint", "link", "good", "bad", "neutral"):
        for ground in ("paper", "raised"):
            assert contrast(colours[name], colours[ground]) >= 4.5, (name, ground)
    for name in (
        "blue",
        "orange",
        "green",
        "red",
        "purple",
        "teal",
        "brown",
        "gold",
        "pink",
        "slate",
        "grey",
    ):
        assert contrast(colours[name], colours["paper"]) >= 3, name


# How dichromats see linear RGB (Machado, Oliveira, Fernandes 2009, severity 1).
DICHROMATS = {
    "protan": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deutan": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.01182, 0.04294, 0.968881)),
    "tritan": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.3039)),
}  # fmt: skip
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def lab(colour: str, seen: tuple[tuple[float, ...], ...]) -> np.ndarray:
    """CIE L*a*b* of a colour as it is seen."""
    parts = np.array([int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)])
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    xyz = TO_XYZ @ np.clip(np.array(seen) @ linear, 0, 1) / np.array([0.9505, 1, 1.089])
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("seen", DICHROMATS.values(), ids=DICHROMATS)
def test_the_parts_of_a_bar_differ_for_every_eye(theme: str, seen: tuple[tuple[float, ...], ...]):
    """Marks differ in form as well; parts of a bar have their colour and their order alone."""
    colours = themes()[theme]
    for one, other in itertools.combinations([part.colour for part in PARTS], 2):
        assert np.linalg.norm(lab(colours[one], seen) - lab(colours[other], seen)) >= 12, (one, other)
