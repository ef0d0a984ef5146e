"""Commands with limits: real ones, in real processes."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tithe.agent.code.sandbox import Limits, Sandbox, can_confine

PYTHON = sys.executable
landlock = pytest.mark.skipif(not can_confine(), reason="this kernel has no Landlock")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "copy").mkdir()
    (tmp_path / "scratch").mkdir()
    return tmp_path / "copy"


def sandbox(folder: Path, environment: dict[str, str] | None = None, **limits: object) -> Sandbox:
    given = {"PATH": os.environ["PATH"], "HOME": "/nowhere"} | (environment or {})
    scratch, original = folder.with_name("scratch"), folder.with_name("original")
    return Sandbox(folder, scratch, given, Limits(**limits), original=original)


async def test_a_command_runs_in_its_folder_and_tells_how_it_ended(folder: Path) -> None:
    ran = await sandbox(folder).run("pwd; echo no >&2; exit 3")
    assert (ran.status, ran.output) == (3, f"{folder}\nno\n")
    assert ran.words.startswith(f"{folder}\nno\n[exit status 3, ")
    assert (await sandbox(folder).run("kill -9 $$")).status == 137
    assert (await sandbox(folder).run("no-such-program")).status == 127


async def test_a_command_that_does_not_end_is_ended_with_all_it_started(folder: Path) -> None:
    ran = await sandbox(folder, seconds=0.5).run("sleep 1000 & echo $! > child; echo begun; wait")
    assert ran.status is None
    assert ran.output == "begun\n"
    assert "which is all the time that it may take" in ran.words
    await asyncio.to_thread(_wait_for, lambda: is_gone(folder / "child"))


async def test_what_a_command_leaves_running_is_ended(folder: Path) -> None:
    ran = await sandbox(folder).run("sleep 1000 & echo $! > child")
    assert ran.status == 0
    await asyncio.to_thread(_wait_for, lambda: is_gone(folder / "child"))


async def test_a_command_that_nobody_waits_for_is_ended(folder: Path) -> None:
    running = asyncio.ensure_future(sandbox(folder).run("echo $$ > own; sleep 1000"))
    await asyncio.to_thread(_wait_for, lambda: (folder / "own").exists() and (folder / "own").read_text())
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await asyncio.to_thread(_wait_for, lambda: is_gone(folder / "own"))


def is_gone(file: Path) -> bool:
    """Whether the process whose number is in a file has ended; one that nobody has asked after yet has."""
    command = ["ps", "-o", "stat=", "-p", file.read_text().strip()]
    listed = subprocess.run(command, capture_output=True, text=True, check=False)
    return listed.stdout.strip()[:1] in ("", "Z")


def _wait_for(true: Callable[[], object]) -> None:
    for _ in range(1000):
        if true():
            return
        time.sleep(0.01)
    pytest.fail("it did not come to pass within ten seconds")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is limited on Linux alone")
async def test_memory_is_limited(folder: Path) -> None:
    ran = await sandbox(folder, memory_bytes=256 << 20).run(f"{PYTHON} -c 'x = bytearray(1 << 30)'")
    assert ran.status == 1
    assert "MemoryError" in ran.output
    fine = await sandbox(folder, memory_bytes=256 << 20).run(f"{PYTHON} -c 'x = bytearray(1 << 26)'")
    assert fine.status == 0


async def test_a_file_cannot_fill_the_disk(folder: Path) -> None:
    ran = await sandbox(folder, file_bytes=1 << 16).run("head -c 1000000 /dev/zero > large")
    assert ran.status != 0
    assert (folder / "large").stat().st_size <= 1 << 16


async def test_a_long_output_keeps_its_beginning_and_its_end(folder: Path) -> None:
    ran = await sandbox(folder).run("echo begin; seq 1 100000; echo end")
    assert ran.output.startswith("begin\n1\n2\n")
    assert ran.output.endswith("100000\nend\n")
    assert "(cut: " in ran.output
    assert len(ran.output) < 20_000


@landlock
async def test_nothing_outside_is_written(folder: Path) -> None:
    outside = folder.with_name("outside")
    outside.mkdir()
    (outside / "kept").write_text("kept")
    told = f"echo x > {outside}/new; echo x > {outside}/kept; rm {outside}/kept; mv {outside}/kept .; ln {outside}/kept hard; echo done"
    ran = await sandbox(folder).run(told)
    assert ran.output.endswith("done\n")
    assert {each.name: each.read_text() for each in outside.iterdir()} == {"kept": "kept"}
    assert not (folder / "hard").exists()


@landlock
async def test_what_a_command_needs_can_be_written(folder: Path) -> None:
    script = (
        "import multiprocessing, tempfile, os\n"
        "tempfile.TemporaryFile().write(b'x'); multiprocessing.Lock()\n"
        "os.makedirs('a'); os.makedirs('b'); open('a/f', 'w').close(); os.rename('a/f', 'b/f')\n"
        "open('/dev/null', 'w').write('x'); os.truncate('b/f', 0); os.symlink('f', 'b/link')\n"
    )
    (folder / "s.py").write_text(script)
    ran = await sandbox(folder).run(f"{PYTHON} s.py")
    assert (ran.status, ran.output) == (0, "")


async def test_unconfined_commands_have_their_users_rights(folder: Path) -> None:
    outside = folder.with_name("outside")
    ran = await sandbox(folder, confined=False).run(f"echo x > {outside}")
    assert ran.status == 0
    assert outside.read_text() == "x\n"


async def test_keys_are_not_handed_on_and_the_rest_is(folder: Path) -> None:
    given = {"OPENAI_API_KEY": "k", "GITHUB_TOKEN": "t", "MY_PASSWORD": "p", "TITHE_RECORDING": "{}", "KEYBOARD": "us", "LANG": "C"}  # fmt: skip
    told = (await sandbox(folder, given).run("env")).output
    for name in ("OPENAI_API_KEY", "GITHUB_TOKEN", "MY_PASSWORD", "TITHE_RECORDING"):
        assert name not in told
    assert "KEYBOARD=us" in told
    assert "LANG=C" in told


async def test_python_finds_the_copy_and_not_the_original(folder: Path) -> None:
    for place, word in ((folder, "copy"), (folder.with_name("original"), "original")):
        (place / "src").mkdir(parents=True)
        (place / "src" / "thing.py").write_text(f"NAME = {word!r}")
    given = {"PYTHONPATH": f"{folder.with_name('original')}/src:/elsewhere"}
    ran = await sandbox(folder, given).run(f"{PYTHON} -c 'import thing; print(thing.NAME)'")
    assert ran.output == "copy\n"


async def test_an_edit_right_after_a_run_is_seen(folder: Path) -> None:
    """Compiled code is taken for current by the second and the size."""
    box = sandbox(folder)
    for number in (1, 2, 3):
        (folder / "m.py").write_text(f"x = {number}\n")
        os.utime(folder / "m.py", (1, 1))
        assert (await box.run(f"{PYTHON} -c 'import m; print(m.x)'")).output == f"{number}\n"
