"""Generates what the docs show of an audit: README.md's block of output (its beginning), the schema of a report,
and a picture of all.

    python docs/generate.py REPORT.json [--picture]

REPORT.json is what `tithe audit --save REPORT.json` wrote. The picture needs Chromium.
"""

from __future__ import annotations

import argparse
import io
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import msgspec
from rich.console import Console
from rich.terminal_theme import TerminalTheme

from tithe.audit import AuditReport, written_schema
from tithe.report import print_audit

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"(<!-- audit -->\n```text\n).*?(```\n<!-- /audit -->)", re.DOTALL)
SECTION = re.compile(r"^Short generations", re.MULTILINE)
WIDTH = 80
THEME = TerminalTheme(
    (252, 252, 250),
    (38, 42, 48),
    [
        (38, 42, 48),
        (178, 58, 48),
        (40, 120, 80),
        (150, 110, 20),
        (40, 90, 160),
        (120, 70, 140),
        (20, 120, 130),
        (120, 124, 130),
    ],
)
PAGE = """<!doctype html><meta charset="utf-8"><style>
body {{ margin: 0; padding: 28px 32px; background: {background}; color: {foreground}; }}
pre {{ font: 14px/1.35 "DejaVu Sans Mono", monospace; margin: 0; }} {stylesheet}
</style><pre><code>{code}</code></pre>"""


def printed(report: AuditReport) -> Console:
    """A console that has recorded the report as a terminal shows it."""
    console = Console(
        record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, color_system="truecolor"
    )
    print_audit(report, console)
    return console


def into_readme(text: str) -> None:
    """Put the output, up to its second table, where README.md has its marks."""
    readme = ROOT / "README.md"
    text = SECTION.split(text)[0]
    lines = "\n".join(line.rstrip() for line in text.strip("\n").splitlines())
    whole, n = BLOCK.subn(lambda found: found[1] + lines + "\n" + found[2], readme.read_text("utf-8"))
    if n != 1:
        raise SystemExit(f"{readme} has {n} places for the audit's output, and one is needed")
    readme.write_text(whole, "utf-8")


def picture(console: Console, target: Path) -> None:
    """Take a picture of the output with headless Chromium."""
    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("chromium is not installed: without it there is no picture")
    html = console.export_html(theme=THEME, code_format=PAGE, inline_styles=False, clear=False)
    rows = console.export_text(clear=False).strip("\n").count("\n") + 1
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "page.html"
        page.write_text(html, "utf-8")
        subprocess.run(
            [
                *(chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"),
                *(
                    "--hide-scrollbars",
                    "--force-device-scale-factor=1.5",
                    f"--user-data-dir={folder}/profile",
                ),
                *(f"--window-size=745,{rows * 19 + 60}", f"--screenshot={target}", page.as_uri()),
            ],
            check=True,
            capture_output=True,
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("report", type=Path)
    parser.add_argument("--picture", action="store_true")
    options = parser.parse_args()
    console = printed(msgspec.json.decode(options.report.read_bytes(), type=AuditReport))
    into_readme(console.export_text(clear=False))
    (ROOT / "docs" / "report-schema.json").write_text(written_schema(), "utf-8")
    if options.picture:
        picture(console, ROOT / "docs" / "audit.png")
