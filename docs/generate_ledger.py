"""Generates what README.md shows of a recording: an agent that is recorded, its ledger in short, and its waterfall.

    python docs/generate_ledger.py [--picture]

It records examples/agent.py against the embedded endpoint. The picture, of the ledger's page, needs Chromium.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tithe.trace import Store

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"(<!-- record -->\n```text\n).*?(```\n<!-- /record -->)", re.DOTALL)
AGENT = ("python", "examples/agent.py", "lookup", "1")
SECTIONS = re.compile(r"^(Tax|Prefix|By step|By tool|By model|Waterfall)", re.MULTILINE)


def run(*arguments: str) -> str:
    """What a command of Tithe's prints, an agent's words and ours in their order, 80 columns wide."""
    done = subprocess.run(
        [sys.executable, "-m", "tithe", *arguments],
        cwd=ROOT,
        check=True,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={
            "COLUMNS": "80",
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
            "HOME": str(Path.home()),
        },
    )
    return done.stdout


def sections(ledger: str) -> dict[str, str]:
    """The printed ledger's parts, by their titles; its beginning under the empty one."""
    found = SECTIONS.split(ledger)
    return {
        "": found[0],
        **{title: title + body for title, body in zip(found[1::2], found[2::2], strict=True)},
    }


def shot(page: Path, target: Path) -> None:
    """Take a picture of a page's beginning with headless Chromium."""
    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("chromium is not installed: without it there is no picture")
    flags = (
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--hide-scrollbars",
    )
    size = ("--window-size=1000,2050", "--force-device-scale-factor=1", "--virtual-time-budget=4000")
    with tempfile.TemporaryDirectory() as profile:
        asked = (*flags, *size, f"--user-data-dir={profile}", f"--screenshot={target}", page.as_uri())
        subprocess.run([chromium, *asked], check=True, capture_output=True)


def main(*, picture: bool) -> None:
    """Record, and put what was printed where README.md has its marks."""
    with tempfile.TemporaryDirectory() as folder:
        db, page = f"{folder}/record.db", Path(folder) / "ledger.html"
        record = ("record", "--upstream", "embedded", "--db", db)
        run(*record, "--", *AGENT)
        said = run(*record, "--html", str(page), "--", *AGENT, "--clock").replace(db, "record.db")
        parts = sections(run("ledger", "--db", db))
        with Store.open(db, write=False) as store:
            clocked, plain = store.tasks()
        changed = run("diff", plain.id, clocked.id, "--db", db)
        if picture:
            shot(page, ROOT / "docs" / "ledger.png")
    lines = [
        f"$ tithe record --upstream embedded -- {' '.join(AGENT)} --clock",
        said.rstrip(),
        "",
        "$ tithe ledger",
        "...",
    ]
    lines += [parts["Tax"].rstrip(), "...", parts["Waterfall"].rstrip(), ""]
    lines += [
        f"$ tithe diff {plain.id[:8]} {clocked.id[:8]}      # the same without --clock, and this",
        changed.partition("\nWhy")[0].rstrip(),
    ]
    text = "\n".join(line.rstrip() for line in "\n".join(lines).splitlines())
    readme = ROOT / "README.md"
    whole, n = BLOCK.subn(lambda found: found[1] + text + "\n" + found[2], readme.read_text("utf-8"))
    if n != 1:
        raise SystemExit(f"{readme} has {n} places for a recording, and one is needed")
    readme.write_text(whole, "utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--picture", action="store_true")
    main(picture=parser.parse_args().picture)
