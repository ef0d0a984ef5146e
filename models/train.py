"""Train the nano model on the expert's transcripts and export it: the one command that made the shipped file.

    python models/train.py --out src/tithe/engine/nano

On a GPU where there is one, else on the CPU. Interrupted, the same command goes on from the last
checkpoint; finished, it exports again. The same seed, versions and machine give the same data and the same order of steps; the
last digits of sums differ between machines.
"""

import argparse
import hashlib
import json
import os
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional

import card
import export
import tokenizer as tokenization
from decoder import Decoder
from pruning import prune
from shapes import SHAPES
from tithe import world
from tithe.world import FAMILIES
from transcripts import DRILL, KINDS, STORY, Example, examples, load, prefix, save

HERE = Path(__file__).parent
WIDTHS = (160, 240, 352, 432, 512, 640, 800)
"""Rows are padded to one of these: each width is compiled once."""

ROW_TOKENS = 4224
DRILLED = 0.15
"""The share of the steps, the first ones, that are drills alone; after them every third step has some too."""

STORY_EVERY, DRILL_EVERY = 6, 3
WEIGHT_OF = {STORY: 0.1, DRILL: 1 / 3}
CHECKPOINT = "checkpoint.pt"
CHECKED = 32
"""Held-out transcripts of each family that the progress is measured on."""


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the nano model and export it.")
    parser.add_argument("--out", type=Path, required=True, help="model folder to write")
    parser.add_argument("--work", type=Path, default=HERE / "out" / "nano", help="data, checkpoints and log")
    parser.add_argument("--seed", type=int, default=0, help="of the weights, the data and their order")
    parser.add_argument("--steps", type=int, default=3200)
    parser.add_argument("--transcripts", type=int, default=32_000, help="of each family")
    parser.add_argument("--rate", type=float, default=4e-3, help="highest learning rate")
    parser.add_argument("--report-every", type=int, default=100)
    given = parser.parse_args()
    # What another state of the sources made is left alone.
    given.work /= f"{fingerprint()[:12]}-{given.seed}"
    given.work.mkdir(parents=True, exist_ok=True)
    tokenizer, digest = _tokenizer(given.work, given.seed)
    settings = {
        "steps": given.steps,
        "rate": given.rate,
        "seed": given.seed,
        "transcripts": given.transcripts,
    }
    train, check = _data(tokenizer, given.work, given.transcripts)
    kept = checkpoint(given.work, settings)
    if kept is None or kept["seen"]["step"] < given.steps:
        torch.manual_seed(given.seed)
        trainer = Trainer(tokenizer, train, check, steps=given.steps, rate=given.rate, seed=given.seed)
        if kept is not None:
            trainer.resume(kept)
        kept = trainer.run(given.work, given.report_every, settings)
    tokenizer, left = prune(tokenizer, times_seen(tokenizer, train))
    shape = replace(SHAPES["nano"], vocab_size=len(left), tokens=len(left))
    weights: dict[str, Tensor] = kept["model"]
    weights["embed_tokens.weight"] = weights["embed_tokens.weight"][left]
    decoder = Decoder(shape, prefixes(tokenizer))
    decoder.load_state_dict(weights)
    model = export.trained(shape, tokenizer, decoder)
    export.write(model, tokenizer, given.out)
    record = settings | {"corpus": digest} | kept["seen"]
    (given.out / "MODEL_CARD.md").write_text(
        card.trained(shape, record, parameters=export.parameters(model)), encoding="utf-8"
    )


def fingerprint() -> str:
    """SHA-256 over the sources that the tokens of the training depend on."""
    names = (
        "drills.py",
        "renaming.py",
        "shapes.py",
        "stories.py",
        "tokenizer.py",
        "transcripts.py",
        "chat_template.jinja",
    )
    sources = [*sorted(Path(world.__file__).parent.glob("*.py")), *(HERE / name for name in names)]
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()


def checkpoint(work: Path, settings: dict[str, object]) -> dict[str, Any] | None:
    """What a training with these settings left in `work`, interrupted or finished; see `Trainer.run`."""
    path = work / CHECKPOINT
    kept: dict[str, Any] | None = torch.load(path, map_location="cpu") if path.exists() else None
    return kept if kept is not None and kept["settings"] == settings else None


def prefixes(tokenizer: Tokenizer) -> list[list[int]]:
    """Every kind's prefix in tokens."""
    return [tokenizer.encode(prefix(kind), add_special_tokens=False).ids for kind in range(KINDS)]


def times_seen(tokenizer: Tokenizer, train: list[Example]) -> NDArray[np.int64]:
    """How often each token is in the training's text, a kind's prefix counted with every example of it."""
    size = tokenizer.get_vocab_size()
    seen = np.bincount(np.concatenate([example.tokens for example in train]), minlength=size)
    for kind, ids in enumerate(prefixes(tokenizer)):
        seen += sum(example.kind == kind for example in train) * np.bincount(ids, minlength=size)
    return seen


def _tokenizer(work: Path, seed: int) -> tuple[Tokenizer, str]:
    path = work / "tokenizer.json"
    if not path.exists():
        tokenizer, digest = tokenization.train(SHAPES["nano"].tokens, seed)
        tokenizer.save(str(path))
        (work / "corpus.txt").write_text(digest, encoding="utf-8")
    return Tokenizer.from_file(str(path)), (work / "corpus.txt").read_text(encoding="utf-8")


def _data(tokenizer: Tokenizer, work: Path, count: int) -> tuple[list[Example], list[Example]]:
    sets: list[list[Example]] = []
    for split, seeds in (("train", count), ("held_out", CHECKED)):
        path = work / f"{split}-{seeds}.npz"
        if not path.exists():
            start = time.perf_counter()
            save(path, examples(tokenizer, split, range(seeds), os.cpu_count() or 1))
            print(f"{split}: made in {time.perf_counter() - start:.0f} s", flush=True)
        sets.append(load(path))
    return sets[0], sets[1]


class Batches:
    """Rows of one kind and width, shuffled, without end.

    `rows` and `learn` are (rows, width); a learnt token's mask stands where it is predicted from.
    """

    def __init__(self, of: list[Example], seed: int) -> None:
        self._of = [example for example in of if len(example.tokens) <= WIDTHS[-1]]
        self._draw = np.random.default_rng(seed)
        self._source = self._endless()

    def __next__(self) -> tuple[Tensor, Tensor]:
        return next(self._source)

    def _endless(self) -> Iterator[tuple[Tensor, Tensor]]:
        waiting: dict[int, list[Example]] = {width: [] for width in WIDTHS}
        while True:
            for at in self._draw.permutation(len(self._of)):
                example = self._of[at]
                width = next(width for width in WIDTHS if len(example.tokens) <= width)
                waiting[width].append(example)
                if len(waiting[width]) == ROW_TOKENS // width:
                    yield rows(waiting[width], width)
                    waiting[width] = []


def rows(of: list[Example], width: int) -> tuple[Tensor, Tensor]:
    tokens = np.zeros((len(of), width), np.int64)
    learn = np.zeros((len(of), width), np.bool_)
    for row, example in enumerate(of):
        tokens[row, : len(example.tokens)] = example.tokens
        learn[row, : len(example.learn) - 1] = example.learn[1:]
    return torch.from_numpy(tokens), torch.from_numpy(learn)


class Trainer:
    def __init__(
        self,
        tokenizer: Tokenizer,
        train: list[Example],
        check: list[Example],
        *,
        steps: int,
        rate: float,
        seed: int,
    ) -> None:
        self.steps = steps
        self.seen: dict[str, Any] = {"step": 0, "seconds": 0.0}
        self._rate = rate
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.model = Decoder(SHAPES["nano"], prefixes(tokenizer)).to(self._device)
        for layer in self.model.layers:
            layer.compile(dynamic=False)
        torch._dynamo.config.recompile_limit = 64  # noqa: SLF001 # one for each width, twice
        self._batches = [
            Batches([example for example in train if example.kind == kind], seed + kind)
            for kind in range(KINDS)
        ]
        self._check = [example for example in check if len(example.tokens) <= WIDTHS[-1]]
        named = list(self.model.named_parameters())
        inner = [weight for name, weight in named if weight.dim() == 2 and "embed" not in name]
        other = [weight for name, weight in named if weight.dim() != 2 or "embed" in name]
        # Orthogonalized momentum for matrices (Jordan 2024), with steps as large as AdamW's (Liu et al. 2025).
        self._optimizers: list[torch.optim.Optimizer] = [
            torch.optim.Muon(inner, lr=rate, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"),
            torch.optim.AdamW(other, lr=rate, betas=(0.9, 0.98), weight_decay=0.0),
        ]

    def resume(self, kept: dict[str, Any]) -> None:
        """Go on where the training that kept this was interrupted."""
        self.model.load_state_dict(kept["model"])
        for optimizer, state in zip(self._optimizers, kept["optimizers"], strict=True):
            optimizer.load_state_dict(state)
        self.seen = kept["seen"]
        for step in range(self.seen["step"]):
            for kind in self._kinds(step):
                next(self._batches[kind])
        print(f"resumed after step {self.seen['step']}", flush=True)

    def run(self, work: Path, report_every: int, settings: dict[str, object]) -> dict[str, Any]:
        """Train to the end; return the last checkpoint.

        A checkpoint has the `settings`, what was `seen` at its step, and the states of `model` and
        `optimizers`; the last one is kept in `work`, beside the log.
        """
        start = time.perf_counter() - self.seen["seconds"]
        losses: list[float] = []
        kept: dict[str, Any] = {}
        for step in range(self.seen["step"], self.steps):
            rate = self._rate * self._scale(step)
            for optimizer in self._optimizers:
                for group in optimizer.param_groups:
                    group["lr"] = rate
            losses.append(self._step(step))
            done = step + 1
            if done % report_every == 0 or done == self.steps:
                self.seen = {
                    "step": done,
                    "seconds": round(time.perf_counter() - start, 1),
                    "device": self._device.type,
                    "loss": round(float(np.mean(losses[-report_every:])), 4),
                    "held_out": self._turns_right(),
                }
                kept = self._keep(work, settings)
        return kept

    def _keep(self, work: Path, settings: dict[str, object]) -> dict[str, Any]:
        print(json.dumps(self.seen), flush=True)
        with (work / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(self.seen) + "\n")
        kept = {
            "settings": settings,
            "seen": self.seen,
            "model": self.model.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self._optimizers],
        }
        # Whole or not at all: an interruption must not cost the last one.
        torch.save(kept, work / f"{CHECKPOINT}.new")
        (work / f"{CHECKPOINT}.new").replace(work / CHECKPOINT)
        return kept

    def _scale(self, step: int) -> float:
        """Warm-up, a plateau, and over the last 60 % down to nothing."""
        return min(1.0, (step + 1) / 100, (self.steps - step) / (0.6 * self.steps))

    def _step(self, step: int) -> float:
        losses: list[float] = []
        for kind in self._kinds(step):
            tokens, learn = (part.to(self._device) for part in next(self._batches[kind]))
            loss = self._loss(kind, tokens, learn)
            (loss * WEIGHT_OF.get(kind, 1 / len(FAMILIES))).backward()
            if kind != STORY:
                losses.append(loss.item())
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimizer in self._optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        return float(np.mean(losses))

    def _kinds(self, step: int) -> list[int]:
        """What a step learns from: drills at first; then every family, and now and then stories and drills."""
        if step < DRILLED * self.steps:
            return [DRILL] * len(FAMILIES)
        more = [kind for kind, every in ((STORY, STORY_EVERY), (DRILL, DRILL_EVERY)) if step % every == 0]
        return [*range(len(FAMILIES)), *more]

    def _loss(self, kind: int, tokens: Tensor, learn: Tensor) -> Tensor:
        """Mean cross-entropy of the learnt tokens, in nats."""
        with self._mixed():
            logits = self._logits(kind, tokens, learn)
        return functional.cross_entropy(logits.float(), tokens.roll(-1, 1)[learn])

    def _logits(self, kind: int, tokens: Tensor, learn: Tensor) -> Tensor:
        return functional.linear(self.model(kind, tokens)[learn], self.model.embed_tokens.weight)

    def _mixed(self) -> AbstractContextManager[object]:
        return torch.autocast(self._device.type, dtype=torch.bfloat16)

    def _turns_right(self) -> dict[str, float]:
        """The share of held-out turns of which every token is the likeliest, given the ones before, and
        the share of transcripts that are right throughout."""
        shares: dict[str, float] = {}
        for kind, family in enumerate(FAMILIES):
            turns, whole = [], []
            of = [example for example in self._check if example.kind == kind]
            with torch.no_grad(), self._mixed():
                for start in range(0, len(of), 8):
                    tokens, learn = rows(of[start : start + 8], max(WIDTHS))
                    hidden = self.model(kind, tokens.to(self._device))
                    best = functional.linear(hidden, self.model.embed_tokens.weight).argmax(-1).cpu()
                    wrong = (best != tokens.roll(-1, 1)) & learn
                    for row in range(len(tokens)):
                        begins = learn[row] & ~learn[row].roll(1)
                        turn = begins.cumsum(0)[learn[row]]
                        bad = set(turn[wrong[row][learn[row]]].tolist())
                        turns += [number not in bad for number in range(1, int(begins.sum()) + 1)]
                        whole.append(not bad)
            shares[family] = round(float(np.mean(turns)), 3)
            shares[f"{family}, whole"] = round(float(np.mean(whole)), 3)
        return shares


if __name__ == "__main__":
    main()
