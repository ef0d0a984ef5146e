"""A model folder as the engine reads it: OpenVINO IR in int8, config, tokenizer, chat template."""

import importlib.metadata
import json
import platform
import shutil
import tempfile
from pathlib import Path

import torch
from optimum.intel import OVModelForCausalLM, OVWeightQuantizationConfig
from tokenizers import Tokenizer
from transformers import Qwen3Config, Qwen3ForCausalLM

from decoder import Decoder
from shapes import Shape

HERE = Path(__file__).parent
STOPS = ("<|im_end|>", "<|endoftext|>")
PACKAGES = ("torch", "transformers", "optimum", "optimum-intel", "nncf", "openvino", "tokenizers")
_TOLERANCE = 1e-3


def versions() -> str:
    """The packages that a model card names, with the Python."""
    named = (f"{package} {importlib.metadata.version(package)}" for package in PACKAGES)
    return f"{', '.join(named)}; Python {platform.python_version()}"


def parameters(model: Qwen3ForCausalLM) -> int:
    """How many weights a model has; tied ones count once."""
    return sum(weight.numel() for weight in model.parameters())


def blank(shape: Shape, tokenizer: Tokenizer) -> Qwen3ForCausalLM:
    """A model of this shape as `transformers` initializes it."""
    stops = [tokenizer.token_to_id(token) for token in STOPS]
    config = Qwen3Config(**shape.config(), bos_token_id=None, eos_token_id=stops[0], pad_token_id=stops[1])
    return Qwen3ForCausalLM(config).eval()


def trained(shape: Shape, tokenizer: Tokenizer, decoder: Decoder) -> Qwen3ForCausalLM:
    """The decoder's weights as `transformers`' model.

    Raises `RuntimeError` when the two compute different hidden states from them.
    """
    decoder = decoder.cpu()
    model = blank(shape, tokenizer)
    model.model.load_state_dict(decoder.state_dict())
    ids = torch.tensor(tokenizer.encode("Fix the bug in figs.py.", add_special_tokens=False).ids)[None]
    before = decoder.prefixes[:1, : int(decoder.lengths[0])]
    with torch.no_grad():
        ours = decoder(0, ids)
        theirs = model.model(torch.cat((before, ids), dim=1)).last_hidden_state[:, -ids.shape[1] :]
    error = float((ours - theirs).abs().max() / theirs.abs().max())
    if error > _TOLERANCE:
        raise RuntimeError(f"the decoder and transformers' model differ by {error:.2g} of the largest state")
    return model


def write(model: Qwen3ForCausalLM, tokenizer: Tokenizer, out: Path) -> None:
    """Write everything but the model card to `out`."""
    out.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(out / "tokenizer.json"))
    _json(
        out / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": model.config.max_position_embeddings,
            "eos_token": STOPS[0],
            "pad_token": STOPS[1],
            "bos_token": None,
            "add_bos_token": False,
            "clean_up_tokenization_spaces": False,
        },
    )
    shutil.copyfile(HERE / "chat_template.jinja", out / "chat_template.jinja")
    stops = [tokenizer.token_to_id(token) for token in STOPS]
    _json(out / "generation_config.json", {"eos_token_id": stops, "pad_token_id": stops[1]})
    with tempfile.TemporaryDirectory() as scratch:
        float_folder = Path(scratch, "float")
        model.save_pretrained(float_folder)
        exported = OVModelForCausalLM.from_pretrained(
            float_folder, export=True, quantization_config=OVWeightQuantizationConfig(bits=8)
        )
        int8_folder = Path(scratch, "int8")
        exported.save_pretrained(int8_folder)
        for file in ("openvino_model.xml", "openvino_model.bin", "config.json"):
            shutil.copyfile(int8_folder / file, out / file)


def _json(path: Path, content: dict[str, object]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
