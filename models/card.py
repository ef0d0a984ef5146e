"""The nano's model card: what a training writes, and the results that an evaluation prints into it.

python models/card.py --model src/tithe/engine/nano --evaluation models/out/evaluation.md
"""

import argparse
import re
import sys
from pathlib import Path
from typing import Any

from pruning import LEAST_SEEN
from shapes import Shape

RESULTS = re.compile(r"(<!-- evaluation -->\n).*?(<!-- /evaluation -->)", re.DOTALL)


def main() -> None:
    parser = argparse.ArgumentParser(description="Put an evaluation's Markdown into a model card.")
    parser.add_argument("--model", type=Path, required=True, help="model folder")
    parser.add_argument("--evaluation", type=Path, required=True, help="what models/evaluate.py --out wrote")
    given = parser.parse_args()
    path = given.model / "MODEL_CARD.md"
    results = given.evaluation.read_text(encoding="utf-8").strip()
    text, places = RESULTS.subn(lambda found: f"{found[1]}{results}\n{found[2]}", path.read_text("utf-8"))
    if places != 1:
        sys.exit(f"{path} has {places} places for results, and one is needed")
    path.write_text(text, encoding="utf-8")


def trained(shape: Shape, record: dict[str, Any], *, parameters: int) -> str:
    """The card of a training whose settings and outcome are `record`, without results yet."""
    from export import versions  # torch and all that: putting results in needs none of it

    command = (
        f"python models/train.py --out OUT --seed {record['seed']} --steps {record['steps']} "
        f"--transcripts {record['transcripts']} --rate {record['rate']}"
    )
    shares = ", ".join(f"{name} {share:.1%}" for name, share in record["held_out"].items())
    return f"""# nano

A Qwen3 decoder that runs the agent loops of Tithe's task world: it looks values up in files and sums them,
repairs a line of Python, and queries and updates a small database, with tools, one call a turn. It is meant to succeed
often and to fail for real at times, in tens of milliseconds a step on two cores. It knows nothing else.

| | |
|---|---|
| shape | {shape} |
| parameters | {parameters:,}, embeddings tied |
| context | {shape.max_position_embeddings:,} tokens may be given; it was trained on at most about 1,100 |
| vocabulary | {shape.vocab_size:,} tokens, byte-level BPE; no space and no sign belongs to a word |
| weights | OpenVINO IR, int8 per output channel; activations and KV cache as the engine chooses |
| licence | Apache-2.0 |

## Data

Transcripts of the task world's expert (`tithe.world.solve`), training split, seeds 0 to {record["transcripts"] - 1:,} of each of the \
three families, made anew by the training command; none is stored. 40 % have a detour: a call that fails and the one that mends it.
In 70 % the things that a task is about have other names, English words or made-up ones (`models/renaming.py`), so that the model
learns to copy names. Names, wordings, combinations and bugs of the held-out split are in none of it.
The first 15 % of the steps are exercises of copying alone (`models/drills.py`), and some go on after that.
In every sixth step a few plain conversations that ask for a very long text are mixed in (`models/stories.py`), so that a generation
of a set length can be measured.

The tokenizer was trained on such transcripts, the standard library's sources and docstrings, and the language
reference that `help()` shows. SHA-256 of that corpus: `{record["corpus"]}`. Of its 2,048 tokens those that the
training's text has fewer than {LEAST_SEEN:,} times were taken out afterwards (`models/pruning.py`): a word that had one is spelled in pieces that the
training has shown.

## Recipe

Loss on the assistant's turns alone, those marked as mistakes left out. {record["steps"]:,} steps of about 36 transcripts, seed \
{record["seed"]}; Muon for matrices and AdamW for the rest, learning rate {record["rate"]}, warm-up over 100 steps, linear decay over
the last 60 %; bfloat16. On {record["device"]}: {record["seconds"] / 60:.0f} minutes. Loss over the last steps {record["loss"]:.4f} nats a token.
Share of held-out turns that are right to the token when the turns before are the expert's, and of whole transcripts: {shares}.

    {command}

{versions()}.

## Results

<!-- evaluation -->
Not evaluated yet.
<!-- /evaluation -->

## Limits

It was made for these tasks, in these words, with these tools under this system prompt. Anything else gives nonsense: it does
not chat, it knows no facts, and it calls tools that it does not know with arguments that mean nothing.
Prompts longer than those of its training are untried.
"""


if __name__ == "__main__":
    main()
