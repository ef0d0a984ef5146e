"""How well call times that are fitted to half of a session's calls tell what the other half took, on real traces.

    python benchmarks/weka_prediction.py [--data ../shared/data/weka] [--splits 20]

The traces have each call's whole time, its prompt and its answer; cached tokens are not reported. A session's calls are cut in halves:
every other call, both ways round, and by chance. On one half the call times are fitted, model by model, as `tithe whatif` does; the time of
the other half is then told from its sizes alone. Beside it stands the naive predictor: the mean time of the first half's calls, times the
number of the second's. Where a half has too few calls of a model, the fit of all its calls is taken, and where that has none, the mean.

The error is of the session's total. Ours is called clearly better where its median error is less than half of the naive one's, and
it is the nearer one in two splits of three; else the script says that it is not, and exits with 1.
"""

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np

from tithe.trace.formats import weka
from tithe.trace.formats.source import parse
from tithe.trace.tree import build_tree
from tithe.whatif import CallSample, CallTimes, Fit, fit_call_times, graph_of

Sample = tuple[str, CallSample]
DATA = Path(__file__).parents[2] / "shared" / "data" / "weka"


def calls(path: Path) -> list[Sample]:
    """A session's answered calls in the order in which they began: the model of each, and its sizes and time."""
    found: list[tuple[float, str, CallSample]] = []
    for task in weka.read(parse(path.read_bytes(), path.name)).tasks:
        tree = build_tree(task.spans)
        graph = graph_of(tree, task=task.id, name=path.stem)
        found += [
            (float(number), call.model or "", CallSample.of(call))
            for number, call in enumerate(graph.calls)
            if call.answered and call.prompt is not None and call.decoded
        ]
    return [(model, sample) for _, model, sample in sorted(found, key=lambda one: one[0])]


def predicted(known: list[Sample], asked: list[Sample]) -> float:
    """Seconds that the asked calls take together, by what is known of others."""
    mean = float(np.mean([sample.total_s or 0.0 for _, sample in known]))
    by_model: dict[str, list[CallSample]] = defaultdict(list)
    for model, sample in known:
        by_model[model].append(sample)
    fits = {model: fit_call_times(model, samples) for model, samples in by_model.items()}
    everything = fit_call_times("all", [sample for _, sample in known])
    return sum(_seconds(fits.get(model), everything, sample, mean) for model, sample in asked)


def _seconds(own: CallTimes | None, everything: CallTimes, sample: CallSample, mean: float) -> float:
    for times in (own, everything):
        if times is not None and isinstance(times.whole, Fit):
            prompt, decoded = float(sample.prompt or 0), float(sample.decoded or 0)
            sizes = {"prompt tokens": np.asarray([prompt]), "decoded tokens": np.asarray([decoded])}
            return float(times.whole.mean_seconds(sizes)[0])
    return mean


def halves(count: int, splits: int) -> list[tuple[list[int], list[int]]]:
    """Every other one, both ways round; and as many by chance as are left of `splits`."""
    chance = np.random.default_rng(0)
    even, odd = list(range(0, count, 2)), list(range(1, count, 2))
    found = [(even, odd), (odd, even)]
    for _ in range(max(0, splits - 2)):
        order = [int(one) for one in chance.permutation(count)]
        found.append((order[: (count + 1) // 2], order[(count + 1) // 2 :]))
    return found


def errors(samples: list[Sample], splits: int) -> tuple[list[float], list[float]]:
    """The relative error of the other half's total, split by split: ours, and the naive predictor's."""
    ours: list[float] = []
    naive: list[float] = []
    for first, second in halves(len(samples), splits):
        known, asked = [samples[one] for one in first], [samples[one] for one in second]
        took = sum(sample.total_s or 0.0 for _, sample in asked)
        mean = float(np.mean([sample.total_s or 0.0 for _, sample in known]))
        ours.append(predicted(known, asked) / took - 1)
        naive.append(mean * len(asked) / took - 1)
    return ours, naive


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--splits", type=int, default=20)
    options = parser.parse_args()
    files = sorted(options.data.glob("*.json"))
    if not files:
        raise SystemExit(f"There are no traces in {options.data}: name their folder with --data.")
    print("the API time of half of a session's calls, told from the other half; median |error| of the total")
    print(f"{'session':<14}{'calls':>6}{'alternate':>12}{'naive':>8}{'by chance':>12}{'naive':>8}")
    all_ours: list[list[float]] = []
    all_naive: list[list[float]] = []
    for file in files:
        samples = calls(file)
        if len(samples) < 4:
            print(f"{file.stem:<14}{len(samples):>6}  too few calls")
            continue
        ours, naive = errors(samples, options.splits)
        all_ours.append(ours)
        all_naive.append(naive)
        cells = "".join(
            f"{_percent(one[part]):>{width}}"
            for part in (slice(0, 2), slice(2, None))
            for one, width in ((ours, 12), (naive, 8))
        )
        print(f"{file.stem:<14}{len(samples):>6}{cells}")
    mine, theirs = np.abs(all_ours), np.abs(all_naive)
    alternate, chance = slice(0, 2), slice(2, None)
    cells = "".join(
        f"{100 * float(np.median(one[:, part])):>{width - 2}.1f} %"
        for part in (alternate, chance)
        for one, width in ((mine, 12), (theirs, 8))
    )
    print(f"{'all':<20}{cells}")
    nearer = float((mine < theirs).mean())
    print(f"ours is the nearer one in {100 * nearer:.0f} % of {mine.size} splits")
    if np.median(mine) < 0.5 * np.median(theirs) and nearer > 2 / 3:
        print("ours is clearly better than the naive predictor")
    else:
        raise SystemExit("ours is NOT clearly better than the naive predictor")


def _percent(found: list[float]) -> str:
    return f"{100 * float(np.median(np.abs(found))):.1f} %" if found else "-"


if __name__ == "__main__":
    main()
