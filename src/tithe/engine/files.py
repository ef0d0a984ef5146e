"""Model files: from a folder, a Hub id or the bundled model's name to what the engine loads."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import msgspec

from tithe.core.errors import ModelFilesError

BUNDLED = "nano"
"""The name of the model that ships in the package."""

IR = "openvino_model.xml"
_WANTED = [IR, "openvino_model.bin", "*.json", "*.jinja"]


class ModelFiles(msgspec.Struct, frozen=True, kw_only=True):
    """What is needed of a model.

    Attributes:
        name: how requests name it.
        ir, tokenizer: paths of the OpenVINO IR and of `tokenizer.json`.
        template: the chat template's source.
        eos: ids of the tokens that end a turn.
        context: the most tokens a sequence may have.
    """

    name: str
    ir: Path
    tokenizer: Path
    template: str
    eos: tuple[int, ...]
    context: int


def find(model: str) -> ModelFiles:
    """Find a model: `nano`, a folder, or a Hub id such as `OpenVINO/Qwen3-0.6B-int8-ov`.

    A folder holds `openvino_model.xml` and `.bin` (a stateful decoder, as optimum-intel exports it),
    `tokenizer.json`, `config.json` and a chat template. Raises `ModelFilesError` naming what is missing.
    """
    if model == BUNDLED:
        return _read(Path(__file__).parent / "nano", BUNDLED)
    try:
        folder = Path(model).expanduser()
    except RuntimeError:
        # There is no such home, and so no such folder.
        folder = Path(model)
    if folder.is_dir():
        return _read(folder, folder.resolve().name)
    if folder.is_absolute() or model.startswith((".", "~")) or model.count("/") != 1:
        raise ModelFilesError(
            f"There is no model folder {model}. Give a folder with an OpenVINO IR, a Hub id (owner/name), "
            f"or {BUNDLED} for the bundled model."
        )
    return _read(_download(model), model)


def _download(hub_id: str) -> Path:
    # Here and not above: the Hub client takes a third of a second to import, and most models are local.
    import huggingface_hub

    try:
        got = huggingface_hub.snapshot_download(hub_id, allow_patterns=_WANTED)  # pyright: ignore[reportUnknownMemberType] - its progress bar is untyped
        return Path(got)
    # The Hub client raises its own errors, those of its HTTP library, OSError and ValueError.
    except Exception as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelFilesError(
            f"The model {hub_id} could not be had from the Hub: {reason}. Check the id and the connection, "
            "or download it elsewhere and give the folder."
        ) from error


def _read(folder: Path, name: str) -> ModelFiles:
    for needed in (IR, "openvino_model.bin", "tokenizer.json", "config.json"):
        if not (folder / needed).is_file():
            raise ModelFilesError(
                f"The model folder {folder} has no {needed}. "
                "Export the model with `optimum-cli export openvino --task text-generation-with-past`."
            )
    config = _json(folder / "config.json")
    generation = _json(folder / "generation_config.json")
    tokenizer = _json(folder / "tokenizer_config.json")
    context = config.get("max_position_embeddings")
    if not isinstance(context, int) or context < 1:
        raise ModelFilesError(
            f"{folder / 'config.json'} names no max_position_embeddings: the context is unknown."
        )
    eos = _ids(generation.get("eos_token_id")) or _ids(config.get("eos_token_id"))
    if not eos:
        raise ModelFilesError(
            f"The model folder {folder} names no eos_token_id in generation_config.json or config.json: "
            "its answers would never end."
        )
    return ModelFiles(
        name=name,
        ir=folder / IR,
        tokenizer=folder / "tokenizer.json",
        template=_template(folder, tokenizer),
        eos=eos,
        context=context,
    )


def _template(folder: Path, tokenizer: dict[str, Any]) -> str:
    beside = folder / "chat_template.jinja"
    if beside.is_file():
        try:
            return beside.read_text("utf-8")
        except UnicodeDecodeError as error:
            raise ModelFilesError(f"{beside} is not UTF-8 text: {error}.") from error
    inside = tokenizer.get("chat_template")
    if isinstance(inside, list):
        named = {entry.get("name"): entry.get("template") for entry in _objects(cast(list[object], inside))}
        inside = named.get("tool_use") or named.get("default")
    if not isinstance(inside, str):
        raise ModelFilesError(
            f"The model folder {folder} has no chat template (chat_template.jinja, or chat_template in "
            "tokenizer_config.json): it is not a chat model."
        )
    return inside


def _ids(value: object) -> tuple[int, ...]:
    if isinstance(value, int):
        return (value,)
    if isinstance(value, list):
        return tuple(entry for entry in cast(list[object], value) if isinstance(entry, int))
    return ()


def _objects(entries: list[object]) -> list[dict[str, object]]:
    return [cast(dict[str, object], entry) for entry in entries if isinstance(entry, dict)]


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    # msgspec lets the decoding error of a string's bytes through.
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ModelFilesError(f"{path} is not a JSON object: {error}.") from error
