"""Model files: what is found, and what is said of whatever is missing or broken."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer

import tithe
from tithe.core.errors import ModelFilesError
from tithe.engine import files

NANO = Path(tithe.__file__).parent / "engine" / "nano"


def folder(path: Path, **changed: Any) -> Path:
    """A model folder; a change is a file's content (None: it is not there), its name with `_` for `.`."""
    contents: dict[str, Any] = {
        "openvino_model.xml": "<net/>",
        "openvino_model.bin": "",
        "tokenizer.json": "{}",
        "config.json": {"max_position_embeddings": 64, "eos_token_id": 3},
        "tokenizer_config.json": {"chat_template": "old"},
    }
    contents |= {name.replace("__", "."): content for name, content in changed.items()}
    path.mkdir()
    for name, content in contents.items():
        if isinstance(content, bytes):
            (path / name).write_bytes(content)
        elif content is not None:
            (path / name).write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return path


def test_the_bundled_model_is_found_by_its_name() -> None:
    found = files.find("nano")
    assert (found.name, found.ir) == ("nano", NANO / "openvino_model.xml")
    assert found.template == (NANO / "chat_template.jinja").read_text("utf-8")
    words = Tokenizer.from_file(str(found.tokenizer))
    assert found.eos == (words.token_to_id("<|im_end|>"), words.token_to_id("<|endoftext|>"))
    assert found.context >= 2048


def test_a_folder_is_named_for_itself(tmp_path: Path) -> None:
    found = files.find(str(folder(tmp_path / "my-model")))
    assert (found.name, found.eos, found.context, found.template) == ("my-model", (3,), 64, "old")
    assert found.tokenizer == tmp_path / "my-model" / "tokenizer.json"


def test_what_goes_before_what(tmp_path: Path) -> None:
    path = folder(
        tmp_path / "m", generation_config__json={"eos_token_id": [5, 6]}, chat_template__jinja="beside"
    )
    found = files.find(str(path))
    assert (found.eos, found.template) == ((5, 6), "beside")


@pytest.mark.parametrize("names", [["default", "tool_use"], ["default"]])
def test_of_several_templates_the_one_with_tools_is_taken(tmp_path: Path, names: list[str]) -> None:
    templates = [{"name": name, "template": name} for name in names]
    found = files.find(str(folder(tmp_path / "m", tokenizer_config__json={"chat_template": templates})))
    assert found.template == names[-1]


CONFIG = {"max_position_embeddings": 64, "eos_token_id": 3}


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"openvino_model__xml": None}, r"has no openvino_model\.xml"),
        ({"openvino_model__bin": None}, r"has no openvino_model\.bin"),
        ({"tokenizer__json": None}, r"has no tokenizer\.json"),
        ({"config__json": None}, r"has no config\.json"),
        ({"config__json": "{oops"}, r"config\.json is not a JSON object"),
        ({"config__json": [1]}, r"config\.json is not a JSON object"),
        ({"config__json": b'{"a": "\xff"}'}, r"config\.json is not a JSON object"),
        ({"generation_config__json": ""}, r"generation_config\.json is not a JSON object"),
        ({"config__json": {"eos_token_id": 3}}, "names no max_position_embeddings"),
        ({"config__json": CONFIG | {"max_position_embeddings": 0}}, "names no max_position_embeddings"),
        ({"config__json": {"max_position_embeddings": 64}}, "names no eos_token_id"),
        ({"config__json": CONFIG | {"eos_token_id": None}}, "names no eos_token_id"),
        ({"config__json": CONFIG | {"eos_token_id": []}}, "names no eos_token_id"),
        ({"tokenizer_config__json": None}, "has no chat template"),
        ({"tokenizer_config__json": {"chat_template": None}}, "has no chat template"),
        (
            {"tokenizer_config__json": {"chat_template": [{"name": "rag", "template": "x"}]}},
            "has no chat template",
        ),
        ({"tokenizer_config__json": {"chat_template": [{"name": "default"}]}}, "has no chat template"),
        ({"tokenizer_config__json": {"chat_template": ["x"]}}, "has no chat template"),
        ({"chat_template__jinja": b"\xff\xfe"}, r"chat_template\.jinja is not"),
    ],
)
def test_what_is_missing_or_broken_is_named(tmp_path: Path, changed: dict[str, Any], says: str) -> None:
    path = folder(tmp_path / "m", **changed)
    with pytest.raises(ModelFilesError, match=says) as caught:
        files.find(str(path))
    assert str(path) in caught.value.message


@pytest.mark.parametrize(
    "model",
    [
        "nothing-here",
        "/no/such/folder",
        "./nothing/here",
        "a/b/c",
        "~/no/such",
        "~nobody-here/model",
        "a\0b",
        "",
        "../nothing",
    ],
)
def test_what_is_no_folder_and_no_hub_id_is_refused(model: str, tmp_path: Path) -> None:
    with pytest.raises(ModelFilesError):
        files.find(model)


@pytest.mark.parametrize("model", ["owner/na me", "-/-", "owner/..", "o/" + "x" * 200])
def test_what_cannot_be_a_hub_id_is_refused(model: str) -> None:
    with pytest.raises(ModelFilesError, match="could not be had from the Hub"):
        files.find(model)


def test_a_hub_id_without_a_network_says_what_to_do(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        # The Hub client reads its settings when it is imported.
        environment = os.environ | {
            "HF_ENDPOINT": f"http://127.0.0.1:{closed.getsockname()[1]}",
            "HF_HOME": str(tmp_path),
        }
        code = (
            "from tithe.core.errors import ModelFilesError\n"
            "from tithe.engine import files\n"
            "try:\n    files.find('owner/model')\n"
            "except ModelFilesError as error:\n    print(error.message)\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], check=False, env=environment, capture_output=True, text=True
        )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("The model owner/model could not be had from the Hub: ")
    assert done.stdout.endswith("or download it elsewhere and give the folder.\n")
