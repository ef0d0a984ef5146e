"""The bundled model's facts, read from its files: what a test says of it stays true when it is trained anew."""

import json
from pathlib import Path

import tithe
from tithe.engine import files

FOLDER = Path(tithe.__file__).parent / "engine" / "nano"
FILES = files.find("nano")
_CONFIG = json.loads((FOLDER / "config.json").read_text("utf-8"))
SIZE: int = _CONFIG["vocab_size"]
BLOCK_BYTES: int = (
    2 * _CONFIG["num_hidden_layers"] * _CONFIG["num_key_value_heads"] * 32 * _CONFIG["head_dim"] * 4
)
"""Keys and values of 32 tokens in float32."""
