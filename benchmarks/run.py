"""All benchmarks, one after another: python benchmarks/run.py [--model DIR ...]

The bundled model always; further model folders (such as the Qwen3-0.6B shape that
`make models ARGS="--shape qwen3-0.6b --out models/out/q06"` makes) as given.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def main() -> None:
    """Run every script for every model; stop at the first that fails."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", action="append", default=[], help="a model folder, beside the bundled one")
    extra = parser.parse_args().model
    for model in ["nano", *extra]:
        samples = "60" if model == "nano" else "20"
        for script, *flags in (["cached_ttft.py", "--samples", samples], ["shared_prefix.py"]):
            subprocess.run([sys.executable, str(HERE / script), "--model", model, *flags], check=True)
            print()
    for script in ("start.py", "weight.py", "ledger.py", "emulation.py"):
        subprocess.run([sys.executable, str(HERE / script)], check=True)
        print()


if __name__ == "__main__":
    main()
