"""A page that stands alone: one HTML file with its styles, its data and the program that draws it.

A report is given as a `Page`; this file makes it HTML, and knows nothing of what it is about. Words stand in
the HTML, so the page reads and prints where no script runs; only charts are drawn, from data (drawing.py),
by charts/draw.js with Observable Plot. A waterfall has charts/waterfall.js and sliders have charts/sliders.js, which stand in no page without one.

Nothing in it is trusted: text goes through `html.escape`, data through `json_for_script`, and the
Content-Security-Policy forbids every address and every script but those whose digests it names, so that a
report on a hostile endpoint can neither run anything nor tell anyone that it was opened.
"""

import base64
import hashlib
import html
import re
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import resources

import msgspec

import tithe
from tithe.report.drawing import Drawing, Sliders, Waterfall, marks
from tithe.report.headline import Headline

_VENDORED = ("d3", "plot")
_SCRIPTS = ("vendor/d3.min.js", "vendor/plot.umd.min.js", "draw.js")
# Drawings that have a script and a style of their own, by the name of both.
_OWN: dict[type[Drawing], str] = {Waterfall: "waterfall", Sliders: "sliders"}
# A table with more rows than this stays closed on paper.
_LONG = 300
_JSON_ESCAPES = str.maketrans({one: f"\\u{ord(one):04x}" for one in "<>&\u2028\u2029"})
# Characters of a cell that stays on one line.
_ONE_LINE = 32
_UNIT = re.compile(r"(\d) (ms|s|µs|%|tok/s)(?!\w)")
_TONES = {True: ("good", "✓"), False: ("bad", "✗"), None: ("neutral", "–")}


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the page's head."""

    name: str
    value: str


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of a chart, to read and to copy. The first cell of a row is its name, set in by its leading spaces.

    `open`: it is what one looks for, and not folded away.
    """

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    open: bool = False


class Panel(msgspec.Struct, frozen=True, kw_only=True):
    """One drawing. `empty` is what stands in its place when it has no marks."""

    title: str
    drawing: Drawing
    empty: str


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """A finding: its panels, beside each other when `beside`, and below them what they show and how it is computed.

    `reading` says what the marks are, and is left out where there are none.
    """

    anchor: str
    title: str
    panels: tuple[Panel, ...]
    reading: str
    caption: tuple[str, ...]
    formulas: tuple[str, ...]
    tables: tuple[Table, ...]
    beside: bool = False


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """A report: its head, its conclusions, its figures. `anchors` lead from a conclusion to its figure."""

    kind: str
    title: str
    facts: tuple[Fact, ...]
    alerts: tuple[str, ...]
    headlines: tuple[Headline, ...]
    anchors: dict[str, str]
    figures: tuple[Figure, ...]
    notes: tuple[str, ...]


def render(page: Page) -> str:
    """The page as one HTML document."""
    drawings = _drawings(page)
    kinds = {type(drawing) for drawing in drawings.values()}
    own = [name for kind, name in _OWN.items() if kind in kinds]
    scripts = [_asset(name) for name in (*_SCRIPTS, *(f"{name}.js" for name in own))]
    styles = "".join(_asset(name) for name in ("page.css", *(f"{name}.css" for name in own)))
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_policy(scripts)}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            f'<meta name="generator" content="Tithe {_text(tithe.__version__)}">',
            f"<title>{_text(page.kind)}: {_text(page.title)}</title>",
            f"<style>\n{styles}</style>",
            "</head>",
            "<body>",
            *_body(page),
            f'<script type="application/json" id="drawings">{json_for_script(drawings)}</script>',
            *(f"<script>{script}</script>" for script in scripts),
            "</body>",
            "</html>",
            "",
        ]
    )


def json_for_script(value: object) -> str:
    """JSON that can stand inside a script element, whatever its strings hold: it cannot end the element."""
    return msgspec.json.encode(value).decode().translate(_JSON_ESCAPES)


def _policy(scripts: Iterable[str]) -> str:
    """No address at all. Styles are inline, since Plot gives each drawing its own."""
    digests = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
        for script in scripts
    )
    return (
        f"default-src 'none'; script-src {digests}; style-src 'unsafe-inline'; base-uri 'none'; "
        "form-action 'none'"
    )


@cache
def _asset(name: str) -> str:
    return resources.files("tithe.report").joinpath("charts", *name.split("/")).read_text("utf-8")


def _text(words: str) -> str:
    return html.escape(words, quote=True)


def _prose(words: str) -> str:
    """Text whose lines never break between a number and its unit."""
    return _UNIT.sub("\\1\u00a0\\2", _text(words))


def _drawings(page: Page) -> dict[str, Drawing]:
    return {
        f"{figure.anchor}-{place}": panel.drawing
        for figure in page.figures
        for place, panel in enumerate(figure.panels)
        if marks(panel.drawing)
    }


def _body(page: Page) -> Iterator[str]:
    yield "<main>"
    yield from _head(page)
    for figure in page.figures:
        yield from _figure(figure)
    yield "</main>"
    yield "<footer>"
    yield from (f"<p>{_text(note)}</p>" for note in page.notes)
    yield "<details><summary>Licences of what draws the charts</summary>"
    yield from (f"<pre>{_text(_asset(f'vendor/{name}.LICENSE'))}</pre>" for name in _VENDORED)
    yield "</details></footer>"


def _head(page: Page) -> Iterator[str]:
    yield f'<header><p class="kind">{_text(page.kind)}</p><h1>{_text(page.title)}</h1><dl class="facts">'
    yield from (f"<div><dt>{_text(fact.name)}</dt><dd>{_text(fact.value)}</dd></div>" for fact in page.facts)
    yield "</dl></header>"
    yield '<section aria-label="Verdicts"><ul class="verdicts">'
    yield from (_headline(line, page.anchors.get(line.about)) for line in page.headlines)
    yield "</ul>"
    if page.alerts:
        yield '<ul class="alerts">'
        yield from (f"<li>{_text(alert)}</li>" for alert in page.alerts)
        yield "</ul>"
    yield '<noscript><p class="empty">Charts need a script, which does not run here; the tables below them have the same figures.</p></noscript>'
    yield "</section>"


def _headline(line: Headline, anchor: str | None) -> str:
    tone, sign = _TONES[line.good]
    about = _text(line.about)
    linked = f'<a href="#{_text(anchor)}">{about}</a>' if anchor is not None else about
    return (
        f'<li class="{tone}"><span class="about">{linked}</span>'
        f'<strong><span class="sign" aria-hidden="true">{sign}</span> {_text(line.outcome)}</strong>'
        f'<span class="sentence">{_prose(line.sentence)}</span></li>'
    )


def _figure(figure: Figure) -> Iterator[str]:
    anchor = _text(figure.anchor)
    yield f'<section class="finding" id="{anchor}" aria-labelledby="{anchor}-title">'
    yield f'<h2 id="{anchor}-title">{_prose(figure.title)}</h2>'
    yield f'<figure><div class="{"panels beside" if figure.beside else "panels"}">'
    for place, panel in enumerate(figure.panels):
        yield from _panel(panel, f"{figure.anchor}-{place}")
    yield "</div><figcaption>"
    drawn = any(marks(panel.drawing) for panel in figure.panels)
    yield from (f"<p>{_prose(said)}</p>" for said in (*([figure.reading] if drawn else []), *figure.caption))
    if figure.formulas:
        lines = "\n".join(_text(formula) for formula in figure.formulas)
        yield f'<p class="formulas">{lines}</p>'
    yield "</figcaption></figure>"
    for table in figure.tables:
        yield from _table(table)
    yield "</section>"


def _panel(panel: Panel, name: str) -> Iterator[str]:
    name = _text(name)
    yield f'<div class="panel"><h3 id="{name}-title">{_text(panel.title)}</h3>'
    if marks(panel.drawing):
        kind = _OWN.get(type(panel.drawing), "drawing")
        yield f'<div class="{kind}" id="{name}"></div>'
    else:
        yield f'<p class="empty">{_text(panel.empty)}</p>'
    yield "</div>"


def _table(table: Table) -> Iterator[str]:
    title = _text(table.title)
    marked = (' class="long"' if len(table.rows) > _LONG else "") + (" open" if table.open else "")
    yield f'<details{marked}><summary>{title}</summary><div class="scroll" role="region" aria-label="{title}" tabindex="0"><table><thead><tr>'
    yield from (f'<th scope="col">{_text(head)}</th>' for head in table.heads)
    yield "</tr></thead><tbody>"
    for first, *others in table.rows:
        cells = "".join(_cell(cell) for cell in others)
        inner = len(first) - len(first.lstrip(" "))
        set_in = f' style="padding-left:{inner / 2 + 0.5:g}em"' if inner else ""
        yield f'<tr><th scope="row"{set_in}>{_text(first)}</th>{cells}</tr>'
    yield "</tbody></table></div></details>"


def _cell(words: str) -> str:
    """Figures stay on one line; what is longer is words, and may break."""
    return f'<td class="words">{_text(words)}</td>' if len(words) > _ONE_LINE else f"<td>{_text(words)}</td>"
