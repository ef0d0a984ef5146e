"""The command, run as a user runs it: in a process of its own, with nothing of this one's environment."""

import subprocess
import sys


def tithe(*arguments: str) -> tuple[int, str, str]:
    """Exit status, standard output and standard error of `tithe ARGUMENTS`, 80 columns wide."""
    ran = subprocess.run(
        [sys.executable, "-m", "tithe", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(sys.path), "COLUMNS": "80"},
    )
    return ran.returncode, ran.stdout, ran.stderr
