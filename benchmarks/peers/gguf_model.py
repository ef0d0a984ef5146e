"""The bundled model as GGUF, which llama.cpp reads: the same weights, tokenizer and chat template.

From the OpenVINO IR's own two files: the weights are constants of it (int8 with a scale and a zero point for each row, norms in
f32), written here as Q8_0. llama.cpp knows only pre-tokenizers by name; the nearest, that of Qwen2, cuts runs of spaces
elsewhere, so that indented code becomes other tokens than the model has learnt.
"""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from numpy.typing import NDArray

TYPES = {"u8": np.uint8, "i8": np.int8, "f16": np.float16, "f32": np.float32}
NORM = re.compile(r"__module\.model\.(.*norm)/aten::mul/Multiply_1")
PARTS = {
    "self_attn.q_proj.weight": "attn_q",
    "self_attn.k_proj.weight": "attn_k",
    "self_attn.v_proj.weight": "attn_v",
    "self_attn.o_proj.weight": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj.weight": "ffn_gate",
    "mlp.up_proj.weight": "ffn_up",
    "mlp.down_proj.weight": "ffn_down",
}
WHOLE = {"embed_tokens.weight": "token_embd.weight", "norm": "output_norm.weight"}


def constants(folder: Path) -> dict[str, NDArray[Any]]:
    """The IR's constants, by their own name; a norm's, which have none, by that of the norm."""
    root = ET.parse(folder / "openvino_model.xml").getroot()
    data = (folder / "openvino_model.bin").read_bytes()
    layers = {layer.get("id"): layer for layer in root.iterfind("layers/layer")}
    found: dict[str, NDArray[Any]] = {}
    for edge in root.iterfind("edges/edge"):
        layer, reader = layers[edge.get("from-layer")], layers[edge.get("to-layer")]
        about = layer.find("data")
        if layer.get("type") != "Const" or about is None or about.get("element_type") not in TYPES:
            continue
        norm = NORM.fullmatch(reader.get("name", ""))
        name = norm[1] if norm else layer.get("name", "").removeprefix("self.model.")
        shape = [int(part) for part in about.get("shape", "").split(",") if part.strip()]
        count = int(np.prod(shape))
        kind = TYPES[about.get("element_type", "")]
        found[name] = np.frombuffer(data, kind, count, int(about.get("offset", "0"))).reshape(shape)
    return found


def weights(folder: Path) -> dict[str, NDArray[np.float32]]:
    """Every weight by GGUF's name for it, as f32."""
    raw = constants(folder)
    found: dict[str, NDArray[np.float32]] = {}
    for name, values in raw.items():
        target = _target(name)
        if target is None:
            continue
        whole = values.astype(np.float32)
        if f"{name}/scale" in raw:
            whole = (whole - raw[f"{name}/zero_point"].astype(np.float32)) * raw[f"{name}/scale"].astype(
                np.float32
            )
        found[target] = whole if whole.shape[-2:-1] not in ((), (1,)) else whole.reshape(-1)
    return found


def write(folder: Path, out: Path) -> None:
    """Write the model in `folder` to `out`."""
    config = json.loads((folder / "config.json").read_text("utf-8"))
    writer = gguf.GGUFWriter(out, "qwen3")
    writer.add_name("nano")
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_key_length(config["head_dim"])
    writer.add_value_length(config["head_dim"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(config["rope_parameters"]["rope_theta"])
    _add_tokenizer(writer, folder, config)
    for name, values in weights(folder).items():
        if values.ndim == 1:
            writer.add_tensor(name, values)
            continue
        kind = gguf.GGMLQuantizationType.Q8_0
        writer.add_tensor(name, gguf.quants.quantize(values, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _target(name: str) -> str | None:
    if name in WHOLE:
        return WHOLE[name]
    layer = re.fullmatch(r"layers\.(\d+)\.(.+)", name)
    if layer is None or layer[2] not in PARTS:
        return None
    return f"blk.{layer[1]}.{PARTS[layer[2]]}.weight"


def _add_tokenizer(writer: gguf.GGUFWriter, folder: Path, config: dict[str, Any]) -> None:
    told = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    added = {token["id"]: token for token in told["added_tokens"]}
    by_id = {number: token for token, number in told["model"]["vocab"].items()}
    by_id |= {number: token["content"] for number, token in added.items()}
    tokens = [by_id.get(number, f"[unused {number}]") for number in range(config["vocab_size"])]
    kinds = [_kind(number, added, by_id) for number in range(config["vocab_size"])]
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in told["model"]["merges"]]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges(merges)
    writer.add_eos_token_id(config["eos_token_id"])
    writer.add_pad_token_id(config["pad_token_id"])
    writer.add_add_bos_token(False)
    writer.add_chat_template((folder / "chat_template.jinja").read_text("utf-8"))


def _kind(number: int, added: dict[int, dict[str, Any]], by_id: dict[int, str]) -> gguf.TokenType:
    if number in added:
        return gguf.TokenType.CONTROL if added[number]["special"] else gguf.TokenType.USER_DEFINED
    return gguf.TokenType.NORMAL if number in by_id else gguf.TokenType.UNUSED
