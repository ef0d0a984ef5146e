"""The locks agree with pyproject.toml and with each other, and name no address."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LOCKS = sorted((ROOT / "requirements").glob("*.lock"))
PIN = re.compile(r"([A-Za-z0-9._-]+)==([^ ;\\]+)( ; [^\\]+)? \\")
HASH = re.compile(r"    --hash=sha256:[0-9a-f]{64}( \\)?")


def pins(lock: Path) -> dict[str, set[str]]:
    """Package -> the versions a lock may install of it (one for each platform or Python it tells apart)."""
    found: dict[str, set[str]] = {}
    for line in lock.read_text(encoding="utf-8").splitlines():
        pin = PIN.fullmatch(line)
        if pin:
            found.setdefault(canonicalize_name(pin[1]), set()).add(pin[2])
    return found


def declared(
    *, extras: tuple[str, ...] = (), groups: tuple[str, ...] = (), base: bool = True
) -> list[Requirement]:
    """What pyproject.toml asks for."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        told = tomllib.load(file)
    asked: list[str | dict[str, str]] = list(told["project"]["dependencies"]) if base else []
    for extra in extras:
        asked += told["project"]["optional-dependencies"][extra]
    for group in groups:
        asked += told["dependency-groups"][group]
    included = [line["include-group"] for line in asked if isinstance(line, dict)]
    nested = declared(groups=tuple(included), base=False) if included else []
    return [Requirement(line) for line in asked if isinstance(line, str)] + nested


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_a_lock_holds_names_versions_and_hashes_alone(lock: Path) -> None:
    strange: list[str] = []
    previous = ""
    for line in lock.read_text(encoding="utf-8").splitlines():
        comment = not line or line.lstrip().startswith("#")
        if not (comment or PIN.fullmatch(line) or HASH.fullmatch(line)):
            strange.append(line)
        if "://" in line or " @ " in line or "file:" in line:
            strange.append(line)
        if PIN.fullmatch(previous) and not HASH.fullmatch(line):
            strange.append(f"{previous}: no hash")
        previous = line
    assert strange == []
    assert pins(lock)


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("base", declared()),
        ("engine", declared(extras=("engine",))),
        ("dev", declared(extras=("engine", "parquet", "browser", "mcp"), groups=("dev",))),
        ("build", declared(groups=("build",), base=False)),
        ("models", declared(extras=("engine",), groups=("models",))),
        ("peers", declared(groups=("peers",), base=False)),
        ("installer", declared(groups=("installer",), base=False)),
    ],
    ids=["base", "engine", "dev", "build", "models", "peers", "installer"],
)
def test_a_lock_gives_what_is_asked_for(name: str, asked: list[Requirement]) -> None:
    locked = pins(ROOT / "requirements" / f"{name}.lock")
    for requirement in asked:
        if requirement.name == "torch":
            # Its CPU and CUDA builds are installed apart: see the group in pyproject.toml.
            continue
        versions = locked.get(canonicalize_name(requirement.name))
        assert versions, f"{requirement} is not in {name}.lock: run `make lock`"
        assert all(requirement.specifier.contains(v) for v in versions), f"{requirement}: run `make lock`"


@pytest.mark.parametrize(("small", "large"), [("base", "engine"), ("engine", "dev"), ("build", "dev")])
def test_a_smaller_lock_is_part_of_the_larger(small: str, large: str) -> None:
    inner, outer = (pins(ROOT / "requirements" / f"{name}.lock") for name in (small, large))
    assert {name: outer.get(name) for name in inner} == inner


def test_torch_is_in_no_lock() -> None:
    heavy = ("torch", "torchvision", "triton")
    light = ("nvidia-ml-py",)  # a module of Python's own, which aiperf asks for
    for lock in LOCKS:
        names = set(pins(lock)).difference(light)
        assert not [n for n in names if n in heavy or n.startswith(("nvidia-", "cuda-"))], lock.name


def test_the_base_install_is_light() -> None:
    heavy = {
        "torch", "transformers", "pandas", "scipy", "openvino", "onnxruntime", "tokenizers", "huggingface-hub",
        "llguidance", "jinja2", "matplotlib", "plotly",
    }  # fmt: skip
    assert len(declared()) <= 12
    assert heavy & set(pins(ROOT / "requirements" / "base.lock")) == set()
