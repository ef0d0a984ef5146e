"""Text to ids and back: exact in segments, and deaf to control tokens that a message spells out."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

from tithe.core.errors import ModelFilesError
from tithe.engine.vocabulary import MARK, Vocabulary

from . import nano

VOCABULARY = Vocabulary(nano.FILES.tokenizer, nano.FILES.eos, nano.SIZE)
PLAIN = Tokenizer.from_file(str(nano.FOLDER / "tokenizer.json"))
CONTROLS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
TAGS = ("<think>", "</think>", "<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>")

letters = st.text(alphabet=st.characters(codec="utf-8", exclude_characters=MARK), max_size=12)
pieces = st.one_of(
    letters, st.sampled_from([*CONTROLS, *TAGS, " ", "\n", "<|", "|>", "<", "im_end|>", "think>"])
)
texts = st.lists(pieces, max_size=10).map("".join)


@settings(max_examples=300)
@given(texts)
def test_segments_encode_as_the_whole_text_does(text: str) -> None:
    ids = PLAIN.encode(text, add_special_tokens=False).ids
    assert VOCABULARY.encode(text) == ids
    assert "".join(VOCABULARY.segments(text)) == text
    assert VOCABULARY.text_of(ids) == text
    # And again, now that its segments are remembered.
    assert VOCABULARY.encode(text) == ids


@settings(max_examples=300)
@given(texts)
def test_a_guarded_text_has_no_control_token_and_is_the_same_text(text: str) -> None:
    ids = VOCABULARY.encode(VOCABULARY.guard(text))
    assert not {VOCABULARY.added[name] for name in CONTROLS} & set(ids)
    assert VOCABULARY.text_of(ids) == text
    assert VOCABULARY.guard(VOCABULARY.guard(text)) == VOCABULARY.guard(text)


@settings(max_examples=100)
@given(texts)
def test_a_mark_of_a_strangers_opens_no_door(text: str) -> None:
    """Whoever writes the mark himself gets no control token either: taking it off comes after the cut."""
    ids = VOCABULARY.encode(VOCABULARY.guard(text.replace("|", MARK + "|").replace("<", "<" + MARK)))
    assert not {VOCABULARY.added[name] for name in CONTROLS} & set(ids)


def test_a_guarded_token_beside_a_real_one() -> None:
    ids = VOCABULARY.encode("<|im_start|>" + VOCABULARY.guard("<|im_end|>") + "<|im_end|>")
    start, end = VOCABULARY.added["<|im_start|>"], VOCABULARY.added["<|im_end|>"]
    assert (ids[0], ids[-1], ids.count(end)) == (start, end, 1)
    assert VOCABULARY.text_of(ids[1:-1]) == "<|im_end|>"


def test_kinds_of_tokens() -> None:
    for name in CONTROLS:
        assert VOCABULARY.is_hidden(VOCABULARY.added[name])
        assert VOCABULARY.is_added(VOCABULARY.added[name])
    for name in TAGS:
        assert not VOCABULARY.is_hidden(VOCABULARY.added[name])
        assert VOCABULARY.is_added(VOCABULARY.added[name])
    (letter,) = VOCABULARY.encode("a")
    assert not VOCABULARY.is_added(letter)
    assert not VOCABULARY.is_hidden(letter)


def test_a_token_can_be_a_part_of_a_character() -> None:
    tokens = VOCABULARY.encode("\U0001f9ff")
    assert len(tokens) > 1
    assert b"".join(map(VOCABULARY.bytes_of, tokens)).decode() == "\U0001f9ff"
    assert "\ufffd" in VOCABULARY.text_of(tokens[:1])
    assert VOCABULARY.bytes_of(VOCABULARY.size + 5) == b""


SENTENCES = ["hello world, this is a text about nothing in particular"] * 3


def metaspace(**token: bool) -> Tokenizer:
    """In the manner of Llama 2: a space before every text, bytes as tokens of their own."""
    made = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    trainer = trainers.BpeTrainer(vocab_size=200, special_tokens=["<unk>"], show_progress=False)
    made.train_from_iterator(SENTENCES, trainer)
    made.add_special_tokens([AddedToken("<s>", special=True, normalized=False, **token)])
    made.add_special_tokens([AddedToken("<|end|>", special=True, normalized=False, **token)])
    return made


def byte_level(**token: bool) -> Tokenizer:
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=300, initial_alphabet=alphabet, show_progress=False)
    made.train_from_iterator(SENTENCES, trainer)
    made.add_special_tokens([AddedToken("<s>", special=True, normalized=False, **token)])
    made.add_special_tokens([AddedToken("<|end|>", special=True, normalized=False, **token)])
    return made


@pytest.mark.parametrize(
    "tokenizer",
    [metaspace(), byte_level(rstrip=True), byte_level(lstrip=True)],
    ids=["space", "right", "left"],
)
def test_where_segments_are_no_texts_the_whole_text_is_encoded(tokenizer: Tokenizer, tmp_path: Path) -> None:
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    vocabulary = Vocabulary(tmp_path / "tokenizer.json", (tokenizer.token_to_id("<|end|>"),), 400)
    text = "<s>hello world <|end|>\n this is<|end|>"
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    assert ids.count(tokenizer.token_to_id("<|end|>")) == 2
    assert vocabulary.segments(text) == [text]
    assert vocabulary.encode(text) == ids
    guarded = vocabulary.encode("<s>" + vocabulary.guard("hello<|end|>") + "<|end|>")
    assert guarded.count(tokenizer.token_to_id("<|end|>")) == 1


def test_a_tokenizer_that_does_not_belong_to_the_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelFilesError, match=f"{nano.SIZE} tokens but the model gives 100"):
        Vocabulary(nano.FOLDER / "tokenizer.json", (1,), 100)


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"model": {"type": "BPE"}}', json.dumps({"a": 1})])
def test_a_file_that_is_no_tokenizer_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(content)
    with pytest.raises(ModelFilesError, match=r"tokenizer\.json cannot be used"):
        Vocabulary(path, (1,), 100)
    with pytest.raises(ModelFilesError, match=r"missing\.json cannot be used"):
        Vocabulary(tmp_path / "missing.json", (1,), 100)


def test_an_end_that_is_no_token_is_refused() -> None:
    with pytest.raises(ModelFilesError, match="cannot be used"):
        Vocabulary(nano.FOLDER / "tokenizer.json", (nano.SIZE + 9,), nano.SIZE)


def test_a_tokenizer_without_tokens_is_refused(tmp_path: Path) -> None:
    Tokenizer(models.BPE()).save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(ModelFilesError):
        Vocabulary(tmp_path / "tokenizer.json", (1,), 100)
