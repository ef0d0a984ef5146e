"""The shapes a model can be made in: Qwen3's architecture at different sizes."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A Qwen3 decoder's sizes, under the names that `transformers.Qwen3Config` gives them.

    `tokens` is how many of the `vocab_size` rows stand for a token of the tokenizer that is made with
    it; the rest are padding, which an engine must never sample.
    """

    vocab_size: int
    tokens: int
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    max_position_embeddings: int
    rope_theta: float

    def __str__(self) -> str:
        """As a model card tells it."""
        return (
            f"{self.num_hidden_layers} layers, hidden {self.hidden_size}, {self.num_attention_heads} heads, "
            f"{self.num_key_value_heads} KV heads of {self.head_dim}, intermediate {self.intermediate_size}"
        )

    def config(self) -> dict[str, Any]:
        """The keyword arguments of `Qwen3Config`."""
        return {name: size for name, size in asdict(self).items() if name not in ("tokens", "rope_theta")} | {
            "rope_parameters": {"rope_type": "default", "rope_theta": self.rope_theta},
            "tie_word_embeddings": True,
        }


SHAPES = {
    # Small enough to ship in the package and to answer at once on one core.
    "nano": Shape(
        vocab_size=2048,
        tokens=2048,
        hidden_size=256,
        intermediate_size=768,
        num_hidden_layers=5,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=64,
        max_position_embeddings=32768,
        rope_theta=10_000.0,
    ),
    # What the Qwen3-0.6B that is published costs to run. Its vocabulary is kept for the cost of the
    # output layer; the tokenizer has the nano's 2,048 tokens.
    "qwen3-0.6b": Shape(
        vocab_size=151936,
        tokens=2048,
        hidden_size=1024,
        intermediate_size=3072,
        num_hidden_layers=28,
        num_attention_heads=16,
        num_key_value_heads=8,
        head_dim=128,
        max_position_embeddings=40960,
        rope_theta=1_000_000.0,
    ),
}
