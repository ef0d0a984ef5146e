"""Make a model with random weights: OpenVINO IR in int8, tokenizer, chat template, model card.

    python models/make.py --shape nano --out src/tithe/engine/nano --seed 0
    python models/make.py --shape nano --out src/tithe/engine/nano --seed 0 --check

The second makes it again elsewhere and says which files differ from those in the folder.

Random weights cost what trained ones cost, so such a model measures an engine; it says nothing of sense.
The weights are drawn so that its output looks like output to an engine: see `randomize`.
"""

import argparse
import filecmp
import platform
import sys
import tempfile
from pathlib import Path

import torch
from transformers import Qwen3ForCausalLM

import tokenizer as tokenization
from export import blank, parameters, versions, write
from shapes import SHAPES, Shape


def main() -> None:
    parser = argparse.ArgumentParser(description="Make a model with random weights.")
    parser.add_argument("--shape", choices=sorted(SHAPES), default="nano")
    parser.add_argument("--out", type=Path, required=True, help="folder to write; made if missing")
    parser.add_argument("--seed", type=int, default=0, help="of the weights and of the generated corpus")
    parser.add_argument("--check", action="store_true", help="write nothing; compare with what is there")
    given = parser.parse_args()
    if given.check:
        differing = differences(given.shape, given.out, given.seed)
        sys.exit(f"differ: {', '.join(differing)}" if differing else 0)
    make(given.shape, given.out, given.seed)


def differences(name: str, out: Path, seed: int) -> list[str]:
    """The files of `out` that are not byte for byte what making the model again gives."""
    with tempfile.TemporaryDirectory() as scratch:
        again = Path(scratch, name)
        make(name, again, seed)
        files = {path.name for folder in (again, out) for path in folder.iterdir()}
        _, differing, missing = filecmp.cmpfiles(again, out, sorted(files), shallow=False)
    return sorted(differing + missing)


def make(name: str, out: Path, seed: int) -> None:
    """Write a whole model folder to `out`."""
    shape = SHAPES[name]
    tokenizer, digest = tokenization.train(shape.tokens, seed)
    torch.manual_seed(seed)
    model = blank(shape, tokenizer)
    randomize(model, shape, torch.Generator().manual_seed(seed))
    write(model, tokenizer, out)
    text = card(name, shape, seed, parameters(model), digest)
    (out / "MODEL_CARD.md").write_text(text, encoding="utf-8")


def randomize(model: Qwen3ForCausalLM, shape: Shape, draws: torch.Generator) -> None:
    """Scale the usual initialization so that decoding neither sticks to a token nor turns uniform.

    With tied embeddings, a random model's likeliest next token is the current one: its own embedding
    is in the residual stream and scores its own row highest. Random signs in the last norm take that
    correlation away. Its size sets the spread of the logits to about 3 nats, so that a greedy choice
    stands clear of the second best by more than rounding; the query norm sharpens attention so that
    the whole prompt, and not only its mean, decides.
    """
    spread = 3.0 / (model.config.initializer_range * shape.hidden_size**0.5)
    with torch.no_grad():
        last = model.model.norm.weight
        last.copy_(spread * (2.0 * torch.randint(0, 2, last.shape, generator=draws) - 1.0))
        for layer in model.model.layers:
            layer.self_attn.q_norm.weight.fill_(3.0)


def card(name: str, shape: Shape, seed: int, count: int, digest: str) -> str:
    """The model card: what it is, what it was made of, and how to make it again."""
    command = f"python models/make.py --shape {name} --out OUT --seed {seed}"
    padding = shape.vocab_size - shape.tokens
    return f"""# {name}, random weights

A Qwen3 decoder with random weights, for running and measuring an engine. It has learnt nothing: its text
is noise, and its tool calls have the right form only where a grammar holds it to one.

| | |
|---|---|
| shape | {shape} |
| parameters | {count:,}, embeddings tied |
| context | {shape.max_position_embeddings:,} tokens |
| vocabulary | {shape.vocab_size:,} rows, of which {shape.tokens:,} are tokens\
{f"; the last {padding:,} are padding and must be masked" if padding else ""} |
| weights | OpenVINO IR, int8 per output channel; activations and KV cache as the engine chooses |
| licence | Apache-2.0 |

## Data

None for the weights. The tokenizer (byte-level BPE) was trained on the standard library's sources and
docstrings of Python {platform.python_version()}, the language reference that `help()` shows, and generated
JSON of tool schemas, calls and results. SHA-256 of that corpus: `{digest}`.

## Recipe

Seed {seed}: `transformers`' own initialization of Qwen3, then random signs and a larger scale in the last
norm and a sharper query norm, so that greedy output does not stick to one token (`randomize` in
`models/make.py`). Exported and compressed by `optimum-intel`. With the same versions the same command gives
the same bytes.

    {command}

{versions()}.
"""


if __name__ == "__main__":
    main()
