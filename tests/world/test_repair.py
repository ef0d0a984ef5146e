"""Fix the test: a real interpreter, within limits, and a check that no test file can fool."""

import re
from pathlib import Path

import pytest

from tithe.world import World, open_world
from tithe.world.bugs import BUG_KINDS, SLIP
from tithe.world.interpreter import run_code
from tithe.world.repair import Repair, RepairState, make
from tithe.world.repair_expert import diagnose, line_pattern
from tithe.world.shapes import SHAPES


@pytest.fixture
def repair() -> Repair:
    return make(3, "train")


def edit(world: World, repair: Repair, old: str, new: str) -> str:
    return world.call("edit_file", {"path": f"{repair.module_name}.py", "old": old, "new": new})


def first_line(repair: Repair) -> str:
    return repair.module.split("\n")[0]


def test_every_bug_is_drawn_shown_by_a_test_and_found_by_the_expert() -> None:
    drawn: set[tuple[str, str]] = set()
    for seed in range(1300):
        for split in ("train", "held_out"):
            repair = make(seed, split)
            drawn.add((repair.shape, repair.bug))
            found = diagnose(repair.module)
            assert repair.module.split("\n").count(found.old) == 1
            mended: dict[str, object] = {}
            exec(f"\n{repair.module}".replace(f"\n{found.old}\n", f"\n{found.new}\n"), mended)
            broken: dict[str, object] = {}
            exec(repair.module, broken)
            assert [repr(eval(call.source, mended)) for call in repair.shown] == [
                c.expected for c in repair.shown
            ]
            assert any(outcome(call.source, broken) != call.expected for call in repair.shown)
            assert any(outcome(call.source, broken) != call.expected for call in repair.hidden)
    written = {(shape.name, bug.kind) for shape in SHAPES for bug in shape.bugs}
    assert drawn == written | {(shape.name, SLIP) for shape in SHAPES}
    assert {kind for _, kind in drawn} == {*BUG_KINDS["train"], *BUG_KINDS["held_out"]}


def test_no_slip_writes_what_a_held_out_bug_does() -> None:
    slips = [repair for repair in (make(seed, "train") for seed in range(1500)) if repair.bug == SLIP]
    assert len({diagnose(repair.module).old for repair in slips}) > 250
    for repair in slips:
        found = diagnose(repair.module)
        shape = next(shape for shape in SHAPES if shape.name == repair.shape)
        for bug in shape.bugs:
            names = re.fullmatch(line_pattern(shape.lines[bug.line]), found.new)
            if names and bug.kind in BUG_KINDS["held_out"]:
                assert bug.wrong.format(**names.groupdict()) != found.old


def outcome(source: str, names: dict[str, object]) -> str:
    try:
        return repr(eval(source, names))
    except Exception as error:  # noqa: BLE001 # a wrong line may raise anything
        return type(error).__name__


def test_another_way_to_write_it_is_as_good(repair: Repair) -> None:
    found = diagnose(repair.module)
    with open_world(repair.task) as world:
        assert "FAILED" in world.call("run_tests", {})
        assert edit(world, repair, found.old, f"{found.new}  # mended").startswith("Edited")
        assert world.call("run_tests", {}).endswith("passed.")
        world.call("finish", {"answer": "Any words."})
    assert world.succeeded


def test_the_shown_calls_alone_are_not_enough(repair: Repair) -> None:
    table = {call.source: call.expected for call in repair.shown}
    cheat = f"def {repair.function}(*given):\n    return {table!r}.get('{repair.function}' + repr(given))"
    with open_world(repair.task) as world:
        edit(world, repair, first_line(repair), f"{cheat}\n\n\n{first_line(repair)}")
        world.call("finish", {"answer": "done"})
    assert not world.succeeded


def test_an_edited_test_does_not_count(repair: Repair) -> None:
    found = diagnose(repair.module)
    test = f"test_{repair.module_name}.py"
    assertion = next(line for line in repair.test.split("\n") if "assert" in line)
    with open_world(repair.task) as world:
        assert (
            world.call("edit_file", {"path": test, "old": assertion, "new": "    pass"}) == f"Edited {test}."
        )
        edit(world, repair, found.old, found.new)
        world.call("finish", {"answer": "done"})
    assert not world.succeeded


@pytest.mark.parametrize("path", ["../x.py", "/etc/passwd", ".", "", "a\0b", "./../task.py"])
def test_nothing_outside_can_be_named(repair: Repair, path: str) -> None:
    with open_world(repair.task) as world:
        for name, more in (("read_file", {}), ("edit_file", {"old": "a", "new": "b"})):
            assert world.call(name, {"path": path, **more}).startswith("There is no file '")


def test_edits_that_cannot_be_made(repair: Repair) -> None:
    name = f"{repair.module_name}.py"
    with open_world(repair.task) as world:
        assert edit(world, repair, "nothing", "x") == f"No edit: 'nothing' is no line of {name}."
        assert edit(world, repair, "", "x") == f"No edit: '' is no line of {name}."
        assert edit(world, repair, first_line(repair)[:-1], "x").startswith("No edit")
        edit(world, repair, first_line(repair), f"{first_line(repair)}\n    7\n    7")
        assert edit(world, repair, "    7", "x").startswith(f"No edit: '    7' is in {name} 2 times")
        assert (
            edit(world, repair, first_line(repair), "\ud800")
            == "No edit: the new text cannot be written as UTF-8."
        )


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("while True: pass", "endless loop"),
        ("x = [0] * 10**10", "MemoryError"),
        ("x = (", "SyntaxError: '(' was never closed in code.py line 1"),
        ("raise SystemExit(0)", "SystemExit: 0 in code.py line 1"),
        ("import os; os._exit(0)", "without a result"),
        ("open('x', 'w')", "PermissionError: files may not be written here in code.py line 1"),
        (
            "import pathlib; pathlib.Path('code.py').unlink()",
            "PermissionError: os.remove is not allowed here",
        ),
        ("import subprocess; subprocess.run(['true'])", "PermissionError"),
        ("import os; os.system('true')", "PermissionError: os.system is not allowed here"),
        ("import socket; socket.socket()", "PermissionError"),
        ("print('x' * 10**6)", "No module named 'test_code'"),
    ],
)
def test_code_that_does_harm_is_stopped_and_told(tmp_path: Path, code: str, said: str) -> None:
    (tmp_path / "code.py").write_text(code)
    # No test file: what is wrong with the module is told before that.
    outcome = run_code(tmp_path, {"module": "code", "test": "test_code"})
    assert said in outcome["error"]
    assert [path.name for path in tmp_path.iterdir()] == ["code.py"]


def test_the_directory_is_gone_afterwards(repair: Repair) -> None:
    state = RepairState(repair)
    with World(repair.task, state) as world:
        assert len(list(state.folder.iterdir())) == 2
        world.call("finish", {"answer": "done"})
    assert not state.folder.exists()
    assert not world.succeeded
    world.close()
