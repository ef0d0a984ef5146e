"""What a call cost: tokens as billed (`Usage`); from an endpoint that tells, its inner times (`Facts`); and what was
added to them where it was held back (`Pacing`)."""

import msgspec


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens of one call over all its choices. None is "not reported", never zero.

    `cached_tokens` is the part of `prompt_tokens` that was read from the KV cache;
    `reasoning_tokens` is the part of `completion_tokens` that was reasoning.
    """

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None


class Facts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=False):
    """Where a call's time and tokens went inside the endpoint. Times in seconds.

    prepare_s: from arrival until it could be queued: chat template, tokenizer, grammar.
    queue_s: from there to the first step that computed any of its tokens.
    prefill_s: from there to the first sampled token.
    decode_s: from the first sampled token to the last.
    cached_tokens / uncached_tokens: prompt tokens read from the cache / computed.
    forced_tokens: output tokens that the grammar left no choice in, appended without sampling.
    drafted_tokens / accepted_tokens: tokens proposed by drafting / of those, kept.
    steps: engine steps that computed tokens of this call.
    preemptions: how often it lost its KV blocks and was computed again.
    prefix_break: the token position at which this call stopped extending a prefix that its session
        had already paid for; None when it did not break.
    """

    queue_s: float
    prefill_s: float
    decode_s: float
    cached_tokens: int
    uncached_tokens: int
    prepare_s: float = 0.0
    forced_tokens: int = 0
    drafted_tokens: int = 0
    accepted_tokens: int = 0
    steps: int = 0
    preemptions: int = 0
    prefix_break: int | None = None


class Pacing(msgspec.Struct, frozen=True, kw_only=True):
    """What was added to a call's times so that its endpoint behaves like another. Seconds, from the request's arrival.

    ttft_s, tokens_per_s: the pace that was to be kept in this call.
    own_first_token_s / own_last_token_s: when the endpoint itself had its first / last token; None: it had none.
    added_s: how much later the last token was given on than the endpoint had it.
    """

    ttft_s: float
    tokens_per_s: float
    own_first_token_s: float | None = None
    own_last_token_s: float | None = None
    added_s: float | None = None
