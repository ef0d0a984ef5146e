"""The clock's name: the same in every process of a machine, and where it is, their stamps are on one clock."""

import subprocess
import sys

from tithe.core import SystemClock
from tithe.trace import machine_clock

OTHER = "from tithe.core import SystemClock; from tithe.trace import machine_clock; print(machine_clock(), SystemClock().now())"


def test_processes_that_have_one_clock_name_have_one_clock() -> None:
    before = SystemClock().now()
    ran = subprocess.run([sys.executable, "-c", OTHER], capture_output=True, text=True, check=True)
    named, _, stamp = ran.stdout.strip().rpartition(" ")
    assert named == str(machine_clock())
    if machine_clock() is not None:
        assert before < float(stamp) < SystemClock().now()
