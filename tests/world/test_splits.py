"""Nothing that a held-out task is made of is in a training task."""

from tithe.world import lookup, records, repair
from tithe.world.bugs import BUG_KINDS, SLIP
from tithe.world.lookup_words import CLOSERS, FIELDS, NOTES, WORDINGS
from tithe.world.records_words import CONDITIONS, REPORTS
from tithe.world.records_words import WORDINGS as RECORDS_WORDINGS
from tithe.world.shapes import SHAPES
from tithe.world.task import Split
from tithe.world.themes import THEMES
from tithe.world.words import THINGS, THINGS_OF, belongs

SEEDS = range(400)


def apart(train: object, held_out: object) -> None:
    """Two collections, or two dicts of collections under the same keys, share nothing."""
    if isinstance(train, dict) and isinstance(held_out, dict):
        for key in train.keys() & held_out.keys():
            apart(train[key], held_out[key])
        return
    assert isinstance(train, tuple | list | set)
    assert isinstance(held_out, tuple | list | set)
    assert train
    assert held_out
    assert set(train).isdisjoint(set(held_out))


def test_names() -> None:
    apart(THINGS_OF["train"], THINGS_OF["held_out"])
    assert len(set(THINGS)) == len(THINGS)
    assert min(map(len, THINGS_OF.values())) >= 40


def test_wordings() -> None:
    for words in (WORDINGS, FIELDS, NOTES, RECORDS_WORDINGS, CONDITIONS, REPORTS, repair.GOALS, repair.SAYS):
        apart(words["train"], words["held_out"])
    # Saying nothing more is no wording.
    apart(set(CLOSERS["train"]) - {""}, set(CLOSERS["held_out"]) - {""})


def test_operations_and_bugs() -> None:
    for pairs in (lookup.OPERATIONS, records.OPERATIONS):
        apart(pairs["train"], pairs["held_out"])
        for side in (0, 1):
            known = {pair[side] for pair in pairs["train"]}
            assert {pair[side] for pair in pairs["held_out"]} <= known
    apart(BUG_KINDS["train"], BUG_KINDS["held_out"])
    written = {bug.kind for shape in SHAPES for bug in shape.bugs}
    assert written | {SLIP} == {kind for kinds in BUG_KINDS.values() for kind in kinds}


def test_shapes() -> None:
    for shape in SHAPES:
        apart(shape.verbs["train"], shape.verbs["held_out"])
        wrong: dict[Split, set[int]] = {
            split: {bug.line for bug in shape.bugs if bug.kind in kinds} for split, kinds in BUG_KINDS.items()
        }
        assert wrong["held_out"]
        # Every line that is wrong in a held-out task is one that training has mended.
        assert wrong["held_out"] <= wrong["train"], shape.name


def test_themes() -> None:
    for part in ("table", "one", "many", "kind"):
        apart({getattr(t, part) for t in THEMES["train"]}, {getattr(t, part) for t in THEMES["held_out"]})
    apart({k for t in THEMES["train"] for k in t.kinds}, {k for t in THEMES["held_out"] for k in t.kinds})
    apart({n for t in THEMES["train"] for n in t.numbers}, {n for t in THEMES["held_out"] for n in t.numbers})


def test_what_tasks_are_really_made_of() -> None:
    """The tables above are all that tasks draw from: seen in the tasks themselves."""
    seen: dict[Split, set[tuple[str, object]]] = {"train": set(), "held_out": set()}
    for split, found in seen.items():
        for seed in SEEDS:
            look, mend, keep = lookup.make(seed, split), repair.make(seed, split), records.make(seed, split)
            names = [*look.question.items, *(word for word in (look.question.place,) if word)]
            names += [str(row[1]) for _, rows in keep.tables.values() for row in rows]
            assert all(belongs(name, split) for name in names)
            assert belongs(mend.function.rpartition("_")[2], split)
            assert belongs(mend.module_name, split)
            found |= {("name", name) for name in names} | {("goal", look.task.goal), ("goal", keep.task.goal)}
            found |= {("wording", w) for w in (look.wording, mend.wording, *keep.wordings)}
            found |= {("operation", look.operation), ("bug", mend.bug), ("table", keep.question.theme.table)}
            found |= {("operation", (keep.question.verb, keep.question.condition)), ("say", mend.say)}
    apart(seen["train"], seen["held_out"])
