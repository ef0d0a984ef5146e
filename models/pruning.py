"""Takes tokens that a training hardly showed out of the tokenizer, and their rows out of the model.

Theory. A name that training never had may be a token of its own, because the tokenizer also learnt from Python's
library; a model that has never written that token cannot copy it. Without the token the name is spelled in
smaller pieces, which the training has shown by the thousand. Merging is unchanged where a rare token was
no part of it, so texts of the training are encoded as before but for the words that had one.
"""

import json

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer, pre_tokenizers

LEAST_SEEN = 1000
"""A token that is in the training's text less often is taken out."""


def prune(tokenizer: Tokenizer, seen: NDArray[np.int64]) -> tuple[Tokenizer, list[int]]:
    """The tokenizer without the tokens `seen` fewer than `LEAST_SEEN` times, and the former ids of what is left.

    Bytes and added tokens always stay, and so does what a token that stays is merged from.
    """
    content = json.loads(tokenizer.to_str())
    vocabulary: dict[str, int] = content["model"]["vocab"]
    merges: list[list[str]] = content["model"]["merges"]
    parts = {left + right: (left, right) for left, right in reversed(merges)}
    staying = set(pre_tokenizers.ByteLevel.alphabet()) | {one["content"] for one in content["added_tokens"]}
    waiting = [token for token, number in vocabulary.items() if seen[number] >= LEAST_SEEN]
    while waiting:
        token = waiting.pop()
        if token not in staying:
            staying.add(token)
            waiting += parts[token]
    left = sorted((number, token) for token, number in vocabulary.items() if token in staying)
    added = sorted(
        (one["id"], one["content"]) for one in content["added_tokens"] if one["content"] not in vocabulary
    )
    kept = [number for number, _ in (*left, *added)]
    number_of = {token: place for place, (_, token) in enumerate((*left, *added))}
    content["model"]["vocab"] = {token: number_of[token] for _, token in left}
    content["model"]["merges"] = [
        [one, other] for one, other in merges if {one, other, one + other} <= staying
    ]
    for one in content["added_tokens"]:
        one["id"] = number_of[one["content"]]
    return Tokenizer.from_str(json.dumps(content)), kept
