"""The house stands: rooms import downwards only, and files and functions stay readable.

A room on a floor may import rooms on lower floors and its own files; never a room above or beside it.
Every way of naming a module counts: at the top or inside a function, for types alone, relative, by
`import_module`, and as a dotted path in a string (`"tithe.cli.serve:app"`).
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "src" / "tithe"

# DESIGN.md's table. A new room gets its floor here first.
FLOORS = {
    "core": 0,
    "wire": 1,
    "trace": 1,
    "world": 1,
    "engine": 2,
    "net": 2,
    "audit": 2,
    "ledger": 2,
    "whatif": 2,
    "agent": 2,
    "voice": 2,
    "report": 3,
    "cli": 4,
}
# The package's own files stand above all rooms; the version is written there and read by any.
DOOR = ("__init__.py", "__main__.py", "endpoint_agent.py")
FREE = {"tithe.__version__"}

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60
# "file" or "file:function" -> the reason why it may be longer.
LONGER: dict[str, str] = {}

DOTTED = re.compile(r"tithe(\.[A-Za-z_]\w*)+(:[A-Za-z_]\w*)?")


def named_modules(tree: ast.Module, package: str, root: Path) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything of Tithe that a file names; `package` is the one it is in."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                # A bare `import tithe` is judged by what is then asked of it.
                if alias.name != "tithe" or alias.asname:
                    yield node.lineno, alias.name
        elif isinstance(node, ast.Attribute):
            if isinstance(node.value, ast.Name) and node.value.id == "tithe":
                yield node.lineno, f"tithe.{node.attr}"
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = package.split(".")
                base = ".".join(parts[: len(parts) - node.level + 1] + ([base] if base else []))
            for alias in node.names:
                yield node.lineno, f"{base}.{alias.name}"
        elif isinstance(node, ast.Call):
            yield from relative_import_module(node, package)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            module = node.value.partition(":")[0]
            if DOTTED.fullmatch(node.value) and is_module(module, root):
                yield node.lineno, module


def is_module(dotted: str, root: Path) -> bool:
    """Whether a dotted string is a module or a class in one, and not a span attribute (`tithe.stream`)."""
    *outer, last = dotted.split(".")[1:]
    path = root.joinpath(*outer) if last[0].isupper() else root.joinpath(*outer, last)
    return path.is_dir() or path.with_name(path.name + ".py").is_file()


def relative_import_module(node: ast.Call, package: str) -> Iterator[tuple[int, str]]:
    """`import_module(".x", __package__)`: the module it names, if that is what `node` is."""
    called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    if called in ("import_module", "__import__") and node.args:
        first = node.args[0]
        if isinstance(first, ast.Constant) and isinstance(first.value, str) and first.value.startswith("."):
            name = first.value.lstrip(".")
            parts = package.split(".")
            yield node.lineno, ".".join([*parts[: len(parts) - (len(first.value) - len(name)) + 1], name])


def floor_faults(root: Path) -> list[str]:
    """Every rule of the floors that the tree under `root` (a folder named tithe) breaks."""
    faults: list[str] = []
    for path in sorted(root.rglob("*.py")):
        inside = path.relative_to(root)
        if len(inside.parts) == 1:
            if inside.name not in DOOR:
                faults.append(f"{inside}: stands in no room")
            continue
        room = inside.parts[0]
        if room not in FLOORS:
            faults.append(f"{inside}: the room {room} has no floor")
            continue
        package = ".".join(("tithe", *inside.parts[:-1]))
        for line, name in named_modules(ast.parse(path.read_text(encoding="utf-8")), package, root):
            fault = naming_fault(room, name, root)
            if fault:
                faults.append(f"{inside}:{line}: {fault}")
    return faults


def naming_fault(room: str, name: str, root: Path) -> str | None:
    """Why a file in `room` may not name `name`, or None when it may."""
    parts = name.split(".")
    if parts[0] != "tithe" or name in FREE:
        return None
    other = parts[1] if len(parts) > 1 else ""
    if other not in FLOORS:
        known = other and ((root / other).is_dir() or (root / f"{other}.py").is_file())
        return f"names {name}: {'no room with a floor' if known else 'the package itself stands above every room'}"
    if other != room and FLOORS[other] >= FLOORS[room]:
        return f"{room} (floor {FLOORS[room]}) names {name} (floor {FLOORS[other]})"
    return None


def size_faults(root: Path) -> list[str]:
    """Files and functions that are longer than allowed."""
    faults: list[str] = []
    for path in sorted(root.rglob("*.py")):
        name = path.relative_to(root).as_posix()
        source = path.read_text(encoding="utf-8")
        lines = len(source.splitlines())
        if lines > MAX_FILE_LINES and name not in LONGER:
            faults.append(f"{name}: {lines} lines, at most {MAX_FILE_LINES}")
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > MAX_FUNCTION_LINES and f"{name}:{node.name}" not in LONGER:
                    faults.append(f"{name}:{node.name}: {length} lines, at most {MAX_FUNCTION_LINES}")
    return faults


def test_rooms_import_downwards_only() -> None:
    assert floor_faults(ROOT) == []


def test_files_and_functions_stay_short() -> None:
    assert size_faults(ROOT) == []


def test_every_exception_is_needed() -> None:
    for name in LONGER:
        assert (ROOT / name.partition(":")[0]).is_file(), f"{name} is gone: take it off the list"


def tree(tmp_path: Path, **files: str) -> Path:
    """A made-up package; `a__b` stands for the file a/b.py."""
    for name, source in files.items():
        path = tmp_path / "tithe" / (name.replace("__", "/") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    return tmp_path / "tithe"


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("core__x", "import tithe.wire.sse"),
        ("core__x", "from tithe.wire import sse"),
        ("core__x", "from tithe import wire"),
        ("core__x", "def f():\n    from tithe.engine import Engine"),
        (
            "core__x",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from tithe.net.server import Server",
        ),
        (
            "core__x",
            "import importlib\nimportlib.import_module('tithe.core.x')\nimportlib.import_module('tithe.wire')",
        ),
        ("core__x", "from importlib import import_module\nimport_module('..wire.sse', __package__)"),
        ("wire__x", "from tithe.trace import store"),
        ("wire__x", "from ..trace import store"),
        ("net__x", "from ..engine.engine import Engine"),
        ("net__deep__x", "from ...audit import probe"),
        ("audit__x", "from tithe.net import remote"),
        ("engine__x", "from tithe import *"),
        ("engine__x", "import tithe\nx = tithe.Agent()"),
        ("engine__x", "import tithe\nx = tithe.cli.serve"),
        ("engine__x", "import tithe as house"),
        ("report__x", "COMMAND = 'tithe.cli.serve:app'"),
        ("report__x", "COMMAND = 'tithe.cli.serve.App'"),
        ("utils__x", ""),
        ("core__x", "from tithe.utils import x"),
        ("stray", ""),
    ],
)
def test_a_breach_is_caught(tmp_path: Path, name: str, source: str) -> None:
    root = tree(tmp_path, cli__serve="", wire__sse="", **{name: source})
    assert len(floor_faults(root)) == 1


def test_what_the_floors_allow_is_let_through(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        __init__="from tithe.cli.main import main",
        core__x="from tithe.core.y import Y\nfrom .y import Z\nfrom . import z",
        net__x="from tithe import __version__\nfrom tithe.wire import sse\nfrom ..core.errors import TitheError",
        cli__serve="",
        cli__x="from tithe.net import server\nserve = 'tithe.cli.serve:app'\nfrom tithe.report import terminal",
        audit__x="import tithe\nversion = tithe.__version__",
        trace__x="ATTRIBUTES = ('tithe.stream', 'tithe.cli.wait_s')",
        engine__x='"""tithe.cli.main is named in a sentence."""\nimport titherelated.cli',
    )
    assert floor_faults(root) == []


def test_a_long_file_and_a_long_function_are_caught(tmp_path: Path) -> None:
    body = "    x = 1\n" * MAX_FUNCTION_LINES
    root = tree(tmp_path, core__long="x = 1\n" * (MAX_FILE_LINES + 1), core__function="def f():\n" + body)
    assert [fault.partition(":")[0] for fault in size_faults(root)] == ["core/function.py", "core/long.py"]
