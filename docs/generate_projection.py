"""Generates what README.md shows of a projection: a task recorded at one pace, projected to another, and replayed there.

    python docs/generate_projection.py

The bundled model is served at both paces on the port that the README names, which has to be free.
"""

import contextlib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"(<!-- projection -->\n```text\n).*?(```\n<!-- /projection -->)", re.DOTALL)
PORT = "8383"
URL = f"http://127.0.0.1:{PORT}/v1"
SLOW, FAST = "ttft=600ms,tps=60,jitter=0.1", "ttft=60ms,tps=600,jitter=0.1"
AGENT = ("python", "examples/agent.py", "lookup", "1")
ENVIRONMENT = {
    **os.environ,
    "COLUMNS": "80",
    "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}",
}


def run(*arguments: str, db: str) -> str:
    """What a command of Tithe's prints, 80 columns wide."""
    command = [sys.executable, "-m", "tithe", *arguments]
    done = subprocess.run(
        command,
        cwd=ROOT,
        check=True,
        text=True,
        capture_output=True,
        env={**ENVIRONMENT, "TITHE_DB": db},
    )
    return done.stdout.strip("\n")


@contextlib.contextmanager
def served(pace: str) -> Iterator[None]:
    """The bundled model at a pace."""
    command = [sys.executable, "-m", "tithe", "serve", "--emulate", pace, "--port", PORT, "--json"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, env=ENVIRONMENT)
    try:
        assert server.stdout is not None
        if not server.stdout.readline():
            raise SystemExit(f"{' '.join(command)} ended before it was ready, see above")
        yield
    finally:
        server.terminate()
        server.wait()


def main() -> None:
    """Record, project, replay, and put what was printed where README.md has its marks."""
    with tempfile.TemporaryDirectory() as folder:
        db = f"{folder}/record.db"
        with served(SLOW):
            run("record", "--quiet", "--upstream", URL, "--", *AGENT, db=db)
        projected = run("whatif", "--speedup", "10", db=db)
        with served(FAST):
            replayed = run("replay", "last", URL, "--speedup", "10", "--people", "x1", db=db)
    before, found, _ = projected.partition("How well calls are known")
    if not found:
        raise SystemExit(f"the projection is not what it was:\n{projected}")
    lines = [
        f"$ tithe serve --emulate {SLOW} &",
        f"$ tithe record --upstream {URL} -- {' '.join(AGENT)}",
        "...",
        "$ tithe whatif --speedup 10",
        before.rstrip(),
        "...",
        "",
        f"$ tithe serve --emulate {FAST} &      # in place of the first",
        f"$ tithe replay last {URL} --speedup 10 --people x1",
        replayed,
    ]
    text = "\n".join(line.rstrip() for line in "\n".join(lines).splitlines())
    readme = ROOT / "README.md"
    whole, n = BLOCK.subn(lambda mark: mark[1] + text + "\n" + mark[2], readme.read_text("utf-8"))
    if n != 1:
        raise SystemExit(f"{readme} has {n} places for a projection, and one is needed")
    readme.write_text(whole, "utf-8")


if __name__ == "__main__":
    main()
