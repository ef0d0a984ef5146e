import signal
import subprocess
import sys

import pytest

import tithe
from tithe.cli.extras import ENGINE_MODULES, is_engine_module
from tithe.cli.front import COMMANDS
from tithe.cli.main import run, with_flag


def test_version(capsys):
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.strip() == tithe.__version__


@pytest.mark.parametrize(
    "arguments",
    [["nosuch"], ["audit", "--repeats", "many"], ["audit", "--nosuch"], ["audit", "--lengths", ""]],
)
def test_what_cannot_be_parsed_is_refused_without_a_traceback(arguments, capsys):
    assert run(arguments) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_a_plan_that_cannot_be_run_names_the_flag(capsys):
    assert run(["audit", "http://127.0.0.1:1/v1", "--repeats", "0"]) == 2
    assert "--repeats is 0" in capsys.readouterr().err


def test_an_endpoint_that_is_not_there_is_the_endpoints_failure(capsys):
    assert run(["audit", "http://127.0.0.1:1/v1"]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("tithe: ")
    assert "127.0.0.1:1" in captured.err


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_the_front_page_names_every_command(arguments, capsys):
    assert run(arguments) == 0
    shown = capsys.readouterr().out
    for command in COMMANDS:
        assert f"  {command.name} " in shown
        assert command.help in " ".join(shown.split())
    assert max(map(len, shown.splitlines())) <= 80


def test_a_command_that_is_not_there_is_refused_with_those_that_are(capsys):
    assert run(["nosuch"]) == 2
    said = capsys.readouterr().err
    assert all(command.name in said for command in COMMANDS)


HEAVY = (
    *ENGINE_MODULES,
    "torch",
    "transformers",
    "pandas",
    "scipy",
    "aiohttp",
    "uvloop",
    "openai",
    "tithe.engine",
)


@pytest.mark.parametrize(
    ("arguments", "kept_out"),
    [
        ([], (*HEAVY, "cyclopts", "rich", "numpy", "asyncio", "msgspec")),
        (["--help"], (*HEAVY, "cyclopts", "rich", "numpy", "asyncio", "msgspec")),
        (["--version"], (*HEAVY, "cyclopts", "rich", "numpy", "asyncio", "msgspec")),
        (["audit", "--help"], HEAVY),
        (["audit", "--schema"], HEAVY),
        (["serve", "--help"], ENGINE_MODULES),
    ],
)
def test_help_imports_little(arguments, kept_out):
    """The base install has no openvino: nothing on the way to help or to an audit of a URL may ask for it."""
    asked = (
        "import sys\n"
        "from tithe.cli.main import run\n"
        f"assert run({arguments!r}) == 0\n"
        f"loaded = set(sys.modules) & set({kept_out!r})\n"
        "assert not loaded, loaded\n"
    )
    subprocess.run([sys.executable, "-c", asked], check=True, capture_output=True, text=True)


@pytest.mark.parametrize("arguments", [["serve"], ["audit"]])
def test_without_the_engine_the_extra_is_named(arguments):
    """What a base install sees: a None in sys.modules is how Python marks a module that is not there."""
    asked = (
        "import sys\n"
        "sys.modules['openvino'] = None\n"
        "from tithe.cli.main import run\n"
        f"sys.exit(run({arguments!r}))\n"
    )
    ended = subprocess.run([sys.executable, "-c", asked], check=False, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "pip install 'tithe[engine]'" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_without_the_engine_help_still_says_what_serve_is():
    asked = (
        "import sys\n"
        "sys.modules['openvino'] = None\n"
        "from tithe.cli.main import run\n"
        "sys.exit(run(['serve', '--help']))\n"
    )
    ended = subprocess.run([sys.executable, "-c", asked], check=False, capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")
    shown = " ".join(ended.stdout.replace("│", "").split())
    assert "Usage: tithe serve" in shown
    assert "OpenAI's Chat Completions" in shown
    assert "pip install 'tithe[engine]'" in shown
    assert "--kv-bytes" in shown


@pytest.mark.parametrize(
    ("message", "arguments", "said"),
    [
        ("kv_bytes is -1: no.", ["serve", "--kv-bytes", "-1"], "--kv-bytes is -1: no."),
        ("the port is 80000: no.", ["serve", "--port=80000"], "--port is 80000: no."),
        ("the port is 80000: no.", ["serve"], "the port is 80000: no."),
        ("--repeats is 0; no.", ["audit", "--repeats", "0"], "--repeats is 0; no."),
    ],
)
def test_an_option_is_called_what_was_typed(message, arguments, said):
    assert with_flag(message, arguments) == said


def test_help_shows_lists_as_they_are_typed(capsys):
    assert run(["audit", "--help"]) == 0
    shown = "".join(capsys.readouterr().out.split())
    assert "default:256,1024,2048]" in shown.replace("│", "")
    assert "(256" not in shown
    assert run(["serve", "--help"]) == 0
    assert "default: ()" not in capsys.readouterr().out


def test_an_import_that_failed_for_the_extra_is_told_from_others():
    wrapped = ImportError("cannot import module")
    wrapped.__cause__ = ModuleNotFoundError("no", name="openvino.runtime")
    assert is_engine_module(wrapped)
    assert not is_engine_module(ModuleNotFoundError("no", name="numpy"))


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("after", ["tithe.cli.main", "cyclopts", "aiohttp", "numpy"])
def test_a_signal_during_the_imports_ends_the_command_without_a_traceback(after, sent, status):
    """The signal comes while a module is looked for, as one that was typed early would."""
    asked = (
        "import os, sys\n"
        "class Early:\n"
        "    def find_spec(self, name, *_):\n"
        f"        if name == {after!r}:\n"
        f"            os.kill(os.getpid(), {int(sent)})\n"
        "sys.meta_path.insert(0, Early())\n"
        "from tithe.__main__ import main\n"
        "sys.argv = ['tithe', 'audit', 'http://127.0.0.1:1/v1']\n"
        "main()\n"
    )
    ended = subprocess.run([sys.executable, "-c", asked], check=False, capture_output=True, text=True)
    said = "tithe: Interrupted.\n" if sent == signal.SIGINT else ""
    assert (ended.returncode, ended.stdout, ended.stderr) == (status, "", said)
