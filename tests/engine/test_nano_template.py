"""The nano's chat template: rendering a longer conversation only ever appends to a shorter one's."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import Tokenizer

import tithe

NANO = Path(tithe.__file__).parent / "engine" / "nano"
MARKERS = ("<think>", "</think>", "<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>")


def environment() -> ImmutableSandboxedEnvironment:
    """As `transformers` sets it up, which is what a chat template is written for."""
    made = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    made.filters["tojson"] = lambda value: json.dumps(value, ensure_ascii=False)
    return made


TEMPLATE = environment().from_string((NANO / "chat_template.jinja").read_text(encoding="utf-8"))
TOKENIZER = Tokenizer.from_file(str(NANO / "tokenizer.json"))


def render(messages: list[dict[str, Any]], **given: Any) -> str:
    return TEMPLATE.render(messages=messages, **({"add_generation_prompt": False} | given))


texts = st.text(alphabet=st.characters(codec="utf-8"), max_size=30)
names = st.from_regex(r"[a-zA-Z0-9_-]{1,12}", fullmatch=True)
arguments = st.one_of(
    st.dictionaries(texts, texts, max_size=2).map(json.dumps),
    st.sampled_from(["{}", '{"a":1}', '{ "a" : [ ] }', '{"city": "Zürich"}']),
)
calls = st.builds(
    lambda name, arguments: {
        "id": "c",
        "type": "function",
        "function": {"name": name, "arguments": arguments},
    },
    names,
    arguments,
)
tools = st.lists(
    st.builds(
        lambda name: {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}, names
    ),
    max_size=2,
)
assistants = st.builds(
    lambda content, reasoning, calls: {
        "role": "assistant",
        "content": content,
        **({} if reasoning is None else {"reasoning_content": reasoning}),
        **({"tool_calls": calls} if calls else {}),
    },
    st.none() | texts,
    st.none() | texts,
    st.lists(calls, max_size=2),
)
others = st.builds(
    lambda role, content: {"role": role, "content": content},
    st.sampled_from(["system", "developer", "user", "tool"]),
    texts,
)
conversations = st.lists(st.one_of(assistants, others), min_size=1, max_size=7)
settings_ = st.sampled_from([{}, {"enable_thinking": True}, {"enable_thinking": False}])


@settings(max_examples=150, deadline=None)
@given(conversations, tools, settings_)
def test_every_prefix_of_a_conversation_renders_to_a_prefix(
    messages: list[dict[str, Any]], tools: list[dict[str, Any]], given: dict[str, Any]
) -> None:
    before = ""
    for end in range(1, len(messages) + 1):
        now = render(messages[:end], tools=tools, **given)
        assert now.startswith(before)
        before = now


@settings(max_examples=150, deadline=None)
@given(conversations, assistants, tools, settings_)
def test_an_answer_extends_the_prompt_that_asked_for_it(
    messages: list[dict[str, Any]],
    answer: dict[str, Any],
    tools: list[dict[str, Any]],
    given: dict[str, Any],
) -> None:
    prompt = render(messages, tools=tools, add_generation_prompt=True, **given)
    if given.get("enable_thinking") is False:
        answer = {name: part for name, part in answer.items() if name != "reasoning_content"}
    history = render([*messages, answer], tools=tools, **given)
    assert history.startswith(prompt)
    assert history.endswith("<|im_end|>\n")
    # What the model would have generated does not depend on what it was asked.
    generated = history[len(prompt) :]
    assert render([{"role": "user", "content": ""}, answer], **given).endswith(generated)


def test_a_conversation_with_tools_reads_as_expected() -> None:
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"a":  1}'}}
    text = render(
        [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Go."},
            {"role": "assistant", "content": "Well.", "reasoning_content": "Hm.", "tool_calls": [call, call]},
            {"role": "tool", "content": "42", "tool_call_id": "1"},
        ],
        tools=[tool],
        add_generation_prompt=True,
    )
    assert text.startswith("<|im_start|>system\nBe brief.\n\n# Tools\n")
    assert "<tools>\n" + json.dumps(tool) + "\n</tools>" in text
    called = '<tool_call>\n{"name": "f", "arguments": {"a":  1}}\n</tool_call>'
    assert text.endswith(
        "<|im_end|>\n<|im_start|>user\nGo.<|im_end|>\n"
        f"<|im_start|>assistant\n<think>\nHm.\n</think>\n\nWell.\n{called}\n{called}<|im_end|>\n"
        "<|im_start|>user\n<tool_response>\n42\n</tool_response><|im_end|>\n"
        "<|im_start|>assistant\n"
    )


def test_without_thinking_the_empty_thought_is_in_prompt_and_history_alike() -> None:
    messages = [{"role": "user", "content": "Go."}]
    prompt = render(messages, add_generation_prompt=True, enable_thinking=False)
    assert prompt.endswith("<|im_start|>assistant\n<think>\n\n</think>\n\n")
    answered = render([*messages, {"role": "assistant", "content": "Gone."}], enable_thinking=False)
    assert answered == prompt + "Gone.<|im_end|>\n"


@settings(max_examples=150, deadline=None)
@given(texts)
def test_the_tokenizer_gives_back_what_it_was_given(text: str) -> None:
    ids = TOKENIZER.encode(text, add_special_tokens=False).ids
    assert TOKENIZER.decode(ids, skip_special_tokens=False) == text


def test_the_tokenizer_knows_the_templates_tags() -> None:
    stops = json.loads((NANO / "generation_config.json").read_text())["eos_token_id"]
    assert stops == [TOKENIZER.token_to_id("<|im_end|>"), TOKENIZER.token_to_id("<|endoftext|>")]
    vocabulary = json.loads((NANO / "config.json").read_text())["vocab_size"]
    assert TOKENIZER.get_vocab_size() == vocabulary
    for marker in MARKERS:
        # One token, kept by a decoder that skips special tokens, and no space around it eaten.
        ids = TOKENIZER.encode(f"a {marker} b", add_special_tokens=False).ids
        assert TOKENIZER.token_to_id(marker) in ids
        assert TOKENIZER.decode(ids, skip_special_tokens=True) == f"a {marker} b"


def test_the_shipped_template_is_the_one_that_models_makes() -> None:
    made_from = Path(__file__).parents[2] / "models" / "chat_template.jinja"
    assert made_from.read_bytes() == (NANO / "chat_template.jinja").read_bytes()


@pytest.mark.parametrize("name", ["openvino_model.xml", "openvino_model.bin"])
def test_the_shipped_model_is_small(name: str) -> None:
    assert 0 < (NANO / name).stat().st_size <= 8 * 2**20
