"""Runs inside the interpreter that a repair task's code runs in; nothing of Tithe is imported here.

    python -I -S -B harness.py FOLDER MEMORY_BYTES < order.json > outcome.json

The order is {"module": name, "test": file} or {"module": name, "calls": [expression, ...]}. The outcome
is {"ran": tests, "failures": [text, ...]} or {"values": [repr, ...]}; in both, "error" in place of
the rest says why nothing could be run.

The limits stop what an agent writes by mistake: a loop without end, a list without end, a write or a
deletion outside. They are no prison for code that means harm.
"""

import json
import linecache
import os
import sys
import traceback

TYPE_CHECKING = False  # typing takes longer to import than a test to run
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

CPU_SECONDS = 1
FORBIDDEN = (
    "subprocess.",
    "os.",
    "shutil.",
    "socket.",
    "ctypes.",
    "pty.",
    "fcntl.",
    "mmap.",
    "sqlite3.",
    "urllib.",
    "webbrowser.",
    "tempfile.",
    "signal.",
    "_posixsubprocess.",
    "_winapi.",
    "msvcrt.",
    "winreg.",
)
READING = ("os.listdir", "os.scandir")


def limit(memory: int) -> None:
    try:
        import resource  # there is none on Windows, where only the time is limited
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    # macOS refuses to limit the address space.
    if sys.platform.startswith("linux"):
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))


def watch(event: str, arguments: "tuple[object, ...]") -> None:
    """An audit hook: what a small function has no reason to do raises an error in it."""
    if event == "open":
        mode, flags = arguments[1], arguments[2]
        writing = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if writing or (isinstance(mode, str) and set(mode) & set("wax+")):
            raise PermissionError("files may not be written here")
    elif event.startswith(FORBIDDEN) and event not in READING:
        raise PermissionError(f"{event} is not allowed here")


def base(path: str) -> str:
    """A path's last part, whichever slash it has."""
    return path.replace("\\", "/").rpartition("/")[2]


def told(error: BaseException, folder: str) -> str:
    """An error as one line, with the line of the agent's code that it came from."""
    place = ""
    if isinstance(error, SyntaxError):
        place = f" in {base(error.filename or '')} line {error.lineno}"
        return f"{type(error).__name__}: {error.msg}{place}"
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename.startswith(folder):
            place = f" in {base(frame.filename)} line {frame.lineno}"
            break
    return f"{type(error).__name__}: {error}{place}"


def failed(error: BaseException, names: "dict[str, object]", folder: str) -> str:
    """What a failed test says: for `assert call == expected`, what the call gave."""
    where = traceback.extract_tb(error.__traceback__)[-1]
    line = linecache.getline(where.filename, where.lineno or 0).strip()
    if isinstance(error, AssertionError) and line.startswith("assert "):
        import ast  # only here: it is a third of the time that starting takes

        test = ast.parse(line).body[0]
        if isinstance(test, ast.Assert) and isinstance(test.test, ast.Compare):
            call, expected = ast.unparse(test.test.left), ast.unparse(test.test.comparators[0])
            return f"{call} gave {eval(call, names)!r}, expected {expected}"  # noqa: S307 # what just ran
    return told(error, folder)


def run(order: "dict[str, Any]", folder: str) -> "dict[str, object]":
    module: ModuleType = __import__(order["module"])
    if "calls" in order:
        calls = order["calls"]
        values: list[str] = []
        for call in calls:
            try:
                values.append(repr(eval(call, dict(vars(module)))))  # noqa: S307 # the checker's own calls
            except Exception as error:  # noqa: BLE001 # whatever the agent's code raises
                values.append(told(error, folder))
        return {"values": values}
    test_module: ModuleType = __import__(order["test"])
    tests: dict[str, object] = vars(test_module)
    failures: list[str] = []
    ran = 0
    for name, test in list(tests.items()):
        if name.startswith("test") and callable(test):
            ran += 1
            try:
                test()
            except Exception as error:  # noqa: BLE001 # whatever the agent's code raises
                failures.append(f"{name}: {failed(error, tests, folder)}")
    return {"ran": ran, "failures": failures}


def main() -> None:
    folder, memory = sys.argv[1:]
    order = json.load(sys.stdin)
    answer = sys.stdout
    # What the agent's code prints is no outcome.
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115, PTH123 # open to the end; no pathlib, for speed
    sys.path.insert(0, folder)
    limit(int(memory))
    sys.addaudithook(watch)
    try:
        outcome = run(order, folder)
    except BaseException as error:  # noqa: BLE001 # an import may exit, or run out of memory
        outcome = {"error": told(error, folder)}
    answer.write(json.dumps(outcome))
    answer.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
