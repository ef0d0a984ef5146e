"""The intake: everything that a request needs before its first token can be computed.

It runs on the reader's event loop, beside which long prompts are tokenized and new grammars compiled.
"""

from __future__ import annotations

import asyncio
import secrets

from tithe.core.errors import ContextOverflow, InvalidRequest
from tithe.core.request import Request
from tithe.engine.answer import Answer
from tithe.engine.blocks import root
from tithe.engine.call import Call
from tithe.engine.generation import Generation
from tithe.engine.grammar import Grammar, Grammars
from tithe.engine.options import EngineOptions
from tithe.engine.sequence import Sequence
from tithe.engine.session import Encoded, Sessions, Turns
from tithe.engine.template import ChatTemplate
from tithe.engine.vocabulary import Vocabulary
from tithe.wire.output import OutputParser

LONG_PROMPT = 20_000
"""Characters from which on a prompt is tokenized beside the event loop and not on it."""


class Intake:
    """Turns requests into calls.

    Args:
        context: the most tokens that a sequence may have.
    """

    def __init__(
        self,
        template: ChatTemplate,
        vocabulary: Vocabulary,
        turns: Turns,
        sessions: Sessions,
        options: EngineOptions,
        context: int,
    ) -> None:
        self._template = template
        self._vocabulary = vocabulary
        self._grammars = Grammars(vocabulary)
        self._turns = turns
        self._sessions = sessions
        self._options = options
        self._context = context

    def unused(self, request: Request) -> tuple[str, ...]:
        """The template arguments of a request that this model's template does not read."""
        return tuple(sorted(request.template.keys() - self._template.variables))

    async def prepare(self, request: Request, arrived: float) -> Call:
        """Render, tokenize and compile. Raises `InvalidRequest` and `ContextOverflow`, naming the field."""
        for token in request.sampling.logit_bias:
            if not 0 <= token < self._vocabulary.size:
                raise InvalidRequest(
                    f"logit_bias names the token {token}, and this model has {self._vocabulary.size}.",
                    param="logit_bias",
                )
        text = self._template.render(request)
        if len(text) > LONG_PROMPT:
            prompt = await asyncio.to_thread(self._turns.encode, text, request.isolation)
        else:
            prompt = self._turns.encode(text, request.isolation)
        if not prompt.ids:
            raise InvalidRequest("The messages render to an empty prompt.", param="messages")
        most = self._most(request, len(prompt.ids))
        reasoning = _reasoning(text, request)
        grammar = await self._grammar(request, reasoning)
        seed = request.sampling.seed if request.sampling.seed is not None else secrets.randbits(64)
        generations = [
            self._generation(request, prompt, arrived, index, seed, most, grammar, reasoning)
            for index in range(request.n)
        ]
        return Call(request, prompt, generations, self._sessions.break_of(request, prompt.ids), arrived)

    async def _grammar(self, request: Request, reasoning: str) -> Grammar | None:
        source = self._grammars.source(request, reasoning=reasoning)
        if source is None:
            return None
        known = self._grammars.find(source)
        return known or await asyncio.to_thread(self._grammars.compile, source, request)

    def _generation(
        self,
        request: Request,
        prompt: Encoded,
        arrived: float,
        index: int,
        seed: int,
        most: int,
        grammar: Grammar | None,
        reasoning: str,
    ) -> Generation:
        sequence = Sequence(
            prompt.ids,
            root=root(request.isolation),
            arrived=arrived,
            priority=request.priority,
            ageing=self._options.ageing,
        )
        tools = bool(request.tools) and request.tool_choice.mode != "none"
        parser = OutputParser(tools=tools, reasoning_open=reasoning == "open")
        return Generation(
            request,
            sequence,
            self._vocabulary,
            Answer(self._vocabulary, index, request.stop, parser),
            index=index,
            seed=seed,
            most=most,
            grammar=grammar.copy() if grammar is not None else None,
            drafting=self._options.drafting,
        )

    def _most(self, request: Request, n_prompt: int) -> int:
        """The most tokens that an answer may have. Raises `ContextOverflow` when they do not fit."""
        room = self._context - n_prompt
        if room < 1:
            raise ContextOverflow(
                f"The messages and tools take {n_prompt} tokens, but a prompt may have at most "
                f"{self._context - 1} here (the model's context, or what fits the KV cache). "
                "Shorten them, or serve with a larger --kv-bytes.",
                param="messages",
            )
        if request.max_tokens is not None and request.max_tokens > room:
            raise ContextOverflow(
                f"The prompt has {n_prompt} tokens and {request.max_tokens} more are asked for, together more than "
                f"the {self._context} that a sequence may have here. Ask for at most {room} (max_tokens).",
                param="max_tokens",
            )
        return request.max_tokens if request.max_tokens is not None else room


def _reasoning(prompt: str, request: Request) -> str:
    """Whether an answer to the prompt begins inside the model's thoughts, or may begin with them."""
    if prompt.rstrip().endswith("<think>"):
        return "open"
    return "may" if request.template.get("enable_thinking") is True else "none"
