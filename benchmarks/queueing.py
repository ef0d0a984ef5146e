"""The queueing simulation of N agents on one endpoint, held against an audit's measured curve.

    python benchmarks/queueing.py [--model DIR] [--agents 16] [--rounds 4]
    python benchmarks/queueing.py --report FILE     # of an audit that `tithe audit --save FILE` wrote

An audit of `tithe serve` in a process beside measures 1, 2, 4, ... agents in closed loops. What other calls do to a first token and to
decoding is fitted to the calls of some rounds, and the mean time of a call in others is simulated (src/tithe/whatif/sharing.py):

    all          fitted to all rounds, and held against the same: how well the law and the queue describe the curve
    other half   fitted to every second visit of each number, held against the rest
    to 4 agents  fitted to at most 4 agents at once, held against more: what lies beyond what was measured
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec
from endpoint import endpoint, machine

from tithe.audit import AuditReport, Round, read_report
from tithe.cli.profiles import profile_of
from tithe.whatif import Beside, Profile
from tithe.whatif.sharing import measured_error

FEW = 4


def audited(model: str, agents: int, rounds: int) -> AuditReport:
    """An audit with little but rounds of agents in it."""
    with tempfile.TemporaryDirectory() as folder, endpoint(model) as url:
        saved = Path(folder) / "audit.json"
        flags = f"--repeats 10 --task-repeats 1 --arrivals 1 --agent-steps 8 --rounds {rounds} --most-agents {agents}"
        command = [sys.executable, "-m", "tithe", "audit", url, "--save", str(saved), *flags.split()]
        ran = subprocess.run(command, check=False, text=True, capture_output=True)
        if not saved.exists():
            raise SystemExit(f"the audit came to nothing: {ran.stderr}")
        return read_report(saved.read_bytes(), str(saved))


def kept(report: AuditReport, keep: Callable[[Round], bool]) -> Profile:
    """The profile that the report would give with these rounds alone."""
    found = report.measured.concurrency
    rounds = msgspec.structs.replace(found, rounds=tuple(one for one in found.rounds if keep(one)))
    measured = msgspec.structs.replace(report.measured, concurrency=rounds)
    return profile_of(msgspec.structs.replace(report, measured=measured))


def held(fitted: Profile, against: Profile) -> dict[int, tuple[float, float]]:
    """Simulated with the laws of one profile, and measured by the other: mean seconds of a call by the number of agents."""
    laws = msgspec.structs.replace(
        against.times, ttft_beside=fitted.times.ttft_beside, decode_beside=fitted.times.decode_beside
    )
    found = measured_error(msgspec.structs.replace(against, times=laws))
    return {agents: (simulated, measured) for agents, simulated, measured in found}


def law(found: object) -> str:
    """What other calls do, in words."""
    if not isinstance(found, Beside):
        return str(found)
    return f"{100 * found.share:.0f} % more for each other call beyond {found.free:g} (off by {100 * found.error:.0f} %, {found.n} calls)"


def main() -> None:
    """Audit, fit, simulate, and print the curves."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="nano")
    parser.add_argument("--agents", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--report", type=Path, help="a saved audit, in place of a new one")
    options = parser.parse_args()
    saved: Path | None = options.report
    if saved is not None:
        report = read_report(saved.read_bytes(), str(saved))
    else:
        report = audited(options.model, options.agents, options.rounds)
    everything = profile_of(report)
    curves = {
        "all": held(everything, everything),
        "other half": held(
            kept(report, lambda one: one.round % 2 == 0), kept(report, lambda one: one.round % 2 == 1)
        ),
        f"to {FEW} agents": held(kept(report, lambda one: one.agents <= FEW), everything),
    }
    print("agents on one endpoint, the mean time of a call: measured by an audit, and simulated")
    print(machine() if saved is None else f"{saved.name}, audited {report.date[:16].replace('T', ' ')} UTC")
    print(f"first token: {law(everything.times.ttft_beside)}")
    print(f"decode: {law(everything.times.decode_beside)}")
    print(f"{'':>8}" + "".join(f"{name:>30}" for name in curves))
    print(f"{'agents':>8}" + f"{'measured':>12}{'simulated':>11}{'off':>7}" * len(curves))
    for agents in curves["all"]:
        print(f"{agents:>8}", end="")
        for curve in curves.values():
            simulated, measured = curve[agents]
            times = f"{1e3 * measured:>9.1f} ms{1e3 * simulated:>8.1f} ms"
            print(f"{times}{100 * (simulated / measured - 1):>+6.1f}%", end="")
        print()


if __name__ == "__main__":
    main()
