"""The prefix doctor: where a task's calls stopped extending what was paid for, why, and what that cost.

Each call is held against an earlier one that it might have extended: the one before it in its line, another of its task
that has more in common with it, or, for a line's first call, the latest of another task. Where the two prompts part
although text after that is the same, that text was paid for and is computed again: a break, unless some other call
covers it. A prompt that merely goes on, or a conversation that merely begins, breaks nothing.

Where nothing parts, and the endpoint still reports far fewer cached tokens than were paid for, its cache has lost them; or
it has none, where it never reports a cached token.

Prompts of which only the KV blocks are known (traces with block hashes) show where they part, to the block, and not why.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

from tithe.ledger.breaks import Break, CallPrefix, Cause, Diagnosis
from tithe.ledger.causes import Found, why
from tithe.ledger.parting import Parting
from tithe.ledger.prefix import Endpoint, PromptedCall, SharedPrefix, shared_prefixes
from tithe.ledger.price import Price, fitted

# Fewer lost tokens than this are no finding: engines keep whole blocks of 16 to 128.
LEAST_TOKENS = 64
_CHARACTERS = 4  # to a token, about, where no usage is reported
# Vendors cache from 1,024 tokens on, in steps of up to 128; and tokens are estimated from characters.
_CACHED_FROM, _MISSED_SHARE = 1024, 0.25
# Causes for which another task's prompt is this one's in another form. One that says something else is no break.
_SAME_MEANING: frozenset[Cause] = frozenset(
    ("timestamp", "id", "number", "tools reordered", "JSON keys reordered", "white space")
)
_LOOKED_BACK = 8  # calls of the same task that one is held against


def diagnose(
    task: str,
    calls: Sequence[PromptedCall],
    others: Sequence[PromptedCall] = (),
    *,
    price: Price | None = None,
) -> Diagnosis:
    """The doctor's findings on one task.

    Args:
        calls: the task's.
        others: those of other tasks, on the same clock: they may have paid for a prefix, and help to know the price.
        price: seconds for an uncached token where they are known from elsewhere, an audit; None: fitted to the calls.
    """
    everyone = sorted((*calls, *others), key=lambda call: call.started)
    shared = dict(zip([call.id for call in everyone], shared_prefixes(everyone), strict=True))
    prices = _prices(everyone, shared, price)
    prefixes: list[CallPrefix] = []
    breaks: list[Break] = []
    caching = {call.endpoint for call in everyone if call.cached_tokens}
    before: list[PromptedCall] = []
    for call in everyone:
        if call.task == task:
            prefixes.append(_prefix(call, shared[call.id]))
            found = _break(call, shared[call.id], before, prices) or (
                _evicted(call, shared[call.id], prices, caches=call.endpoint in caching)
                if call.parts
                else None
            )
            if found is not None:
                breaks.append(found)
        if call.parts or call.blocks:
            before.append(call)
    usual = _usual(calls, prices)
    return Diagnosis(
        task=task,
        calls=tuple(prefixes),
        breaks=tuple(breaks),
        token_s=usual.token_s,
        fitted_on=usual.known_from,
        notes=tuple(_notes(calls, usual)),
    )


def _prices(
    calls: Iterable[PromptedCall], shared: dict[str, SharedPrefix], known: Price | None
) -> dict[Endpoint, Price]:
    """What a token costs at each endpoint: one model's price says nothing of another's."""
    by_endpoint: dict[Endpoint, list[PromptedCall]] = {}
    for call in calls:
        by_endpoint.setdefault(call.endpoint, []).append(call)
    return {endpoint: known or fitted(_paid(group, shared)) for endpoint, group in by_endpoint.items()}


def _usual(calls: Sequence[PromptedCall], prices: dict[Endpoint, Price]) -> Price:
    """The price at the endpoint that answered most of the calls."""
    counts = Counter(call.endpoint for call in calls)
    return prices[counts.most_common(1)[0][0]] if counts else fitted(())


def _paid(calls: Iterable[PromptedCall], shared: dict[str, SharedPrefix]) -> list[tuple[int, float]]:
    """(uncached tokens, seconds to first token) of the calls that tell both."""
    told: list[tuple[int, float]] = []
    for call in calls:
        if call.ttft_s is None or call.input_tokens is None or call.failed:
            continue
        cached = call.cached_tokens
        if cached is None and (call.parts or call.blocks):
            cached = call.tokens(shared[call.id].any.size)
        if cached is not None:
            told.append((max(0, call.input_tokens - cached), call.ttft_s))
    return told


def _prefix(call: PromptedCall, shared: SharedPrefix) -> CallPrefix:
    known = bool(call.parts or call.blocks)
    return CallPrefix(
        call=call.id,
        step=call.step,
        prompt_tokens=call.input_tokens,
        own_shared_tokens=call.tokens(shared.own.size) if known else None,
        any_shared_tokens=call.tokens(shared.any.size) if known else None,
        cached_tokens=call.cached_tokens,
        known=known,
    )


def _break(
    call: PromptedCall, shared: SharedPrefix, before: Sequence[PromptedCall], prices: dict[Endpoint, Price]
) -> Break | None:
    if call.blocks and not call.parts:
        return _blocks_break(call, shared, before, prices)
    if not call.parts:
        return None
    parting = _nearest(call, before)
    if parting is None:
        return None
    earlier = parting.earlier
    if earlier.endpoint != call.endpoint:
        return _other_model(call, parting, shared, prices)
    if not parting.extends:
        found = why(parting, call.relation)
        if earlier.task != call.task and not _is_ours_in_another_form(parting, found):
            return None
        size = parting.lost(shared.any, all_of_it=found.whole)
        lost = _at_most_paid(_lost(call, size, shared), earlier)
        enough = size >= LEAST_TOKENS * _CHARACTERS if lost is None else lost >= LEAST_TOKENS
        if size > 0 and enough:
            return _told(call, earlier, parting.new.place, found, lost, shared, prices)
    return None


def _is_ours_in_another_form(parting: Parting, found: Found) -> bool:
    """Whether another task's prompt begins as this one does but for its form: the same tools and system prompt."""
    return found.cause in _SAME_MEANING and parting.new.role in ("tool_definition", "system", "developer")


def _lost(call: PromptedCall, size: int, shared: SharedPrefix) -> int | None:
    """Tokens computed again, of `size` characters that were paid for beyond the shared prefix.

    What the endpoint says it had cached decides: a template may put first what the request has last.
    """
    if call.cached_tokens is None:
        return call.tokens(size)
    paid = call.tokens(shared.any.size + size)
    return None if paid is None else max(0, paid - call.cached_tokens)


def _at_most_paid(lost: int | None, earlier: PromptedCall) -> int | None:
    """No more than the earlier call's prompt and answer had: tokens of characters are estimates, and by this call's own density."""
    if lost is None or earlier.input_tokens is None:
        return lost
    return min(lost, earlier.input_tokens + (earlier.output_tokens or 0))


def _nearest(call: PromptedCall, before: Sequence[PromptedCall]) -> Parting | None:
    """The call beside the earlier one that it has most in common with."""
    paid = [one for one in before if one.paid_at is not None and one.paid_at <= call.started]
    own = [one for one in paid if one.task == call.task and one.parts]
    line = [one for one in own if one.line == call.line]
    if line and (last := Parting(line[-1], call)).extends and last.score > 0:
        return last
    partings = [Parting(one, call) for one in (line or own)[-_LOOKED_BACK:]]
    if not line:
        foreign = [one for one in paid if one.task != call.task and one.parts and one.step == 1]
        partings += [Parting(one, call) for one in foreign[-_LOOKED_BACK:]]
    # Of equals the latest.
    best = max(enumerate(partings), key=lambda one: (one[1].score, one[0]), default=None)
    return best[1] if best is not None and best[1].score > 0 else None


def _other_model(
    call: PromptedCall, parting: Parting, shared: SharedPrefix, prices: dict[Endpoint, Price]
) -> Break | None:
    if parting.earlier.task != call.task:
        return None
    common = sum(part.size for part in call.parts[: parting.at]) - shared.any.size
    lost = _at_most_paid(call.tokens(max(common, 0)), parting.earlier)
    if lost is None or lost < LEAST_TOKENS:
        return None
    found = Found(
        cause="other model",
        offset=None,
        sentence=f"The conversation goes on with {call.model} after {parting.earlier.model}, which has a cache of its own.",
        fix="Keep one conversation with one model at one endpoint, or change seldom.",
    )
    return _told(call, parting.earlier, "model", found, lost, shared, prices)


def _evicted(
    call: PromptedCall, shared: SharedPrefix, prices: dict[Endpoint, Price], *, caches: bool
) -> Break | None:
    """Nothing was changed, and still much of what was paid for was computed again. `caches`: the endpoint ever cached any."""
    paid, cached = call.tokens(shared.any.size), call.cached_tokens
    if paid is None or cached is None or paid < _CACHED_FROM:
        return None
    missed = paid - cached
    if missed < max(LEAST_TOKENS, _MISSED_SHARE * paid):
        return None
    paid_for = f"about {paid:,} of the prompt's tokens had been paid for"
    if caches:
        found = Found(
            cause="evicted",
            offset=None,
            sentence=f"Nothing was changed: {paid_for}, and the endpoint reports {cached:,} cached.",
            fix="Send a conversation to one replica (a session header, prompt_cache_key), and pause less.",
        )
    else:
        found = Found(
            cause="not cached",
            offset=None,
            sentence=f"Nothing was changed: {paid_for}, and the endpoint has not reported a cached token for any call.",
            fix="Turn prefix caching on, or ask for it: at Anthropic by cache_control on the prefix.",
        )
    return _told(call, None, "messages", found, missed, shared, prices)


def _blocks_break(
    call: PromptedCall, shared: SharedPrefix, before: Sequence[PromptedCall], prices: dict[Endpoint, Price]
) -> Break | None:
    line = [one for one in before if one.task == call.task and one.line == call.line and one.blocks]
    if not line:
        return None
    earlier = line[-1]
    # The last block of a prompt is filled up by what comes after it, and is another one then.
    paid = min(earlier.size - (earlier.block_size or 0), call.size)
    lost = paid - shared.any.size
    if lost < max(LEAST_TOKENS, 2 * (call.block_size or 0)):
        return None
    shorter = call.size < earlier.size / 2
    cause: Cause = "compaction" if shorter else "unknown"
    said = (
        "the prompt is less than half as long as the one before"
        if shorter
        else "the trace has block hashes and no text, so why is not to be told"
    )
    found = Found(
        cause=cause,
        offset=None,
        sentence=f"The prompt leaves the one before it after {shared.any.size:,} of {earlier.size:,} tokens; {said}.",
        fix="Compact seldom and in large steps."
        if shorter
        else "Record the agent with tithe record, which keeps what tells why.",
    )
    return _told(call, earlier, f"token {shared.any.size:,}", found, lost, shared, prices)


def _told(
    call: PromptedCall,
    earlier: PromptedCall | None,
    place: str,
    found: Found,
    lost: int | None,
    shared: SharedPrefix,
    prices: dict[Endpoint, Price],
) -> Break:
    price = prices[call.endpoint]
    cost = None if lost is None or price.token_s is None else lost * price.token_s
    if cost is not None and lost is not None and call.ttft_s is not None:
        # Of a wait for so many uncached tokens no more than the lost ones' part.
        uncached = (call.input_tokens or 0) - (call.cached_tokens or 0)
        cost = min(cost, call.ttft_s * min(1.0, lost / uncached) if uncached > 0 else call.ttft_s)
    why_not = (
        price.unknown
        if price.token_s is None
        else "the prompt's tokens are not reported"
        if lost is None
        else None
    )
    return Break(
        call=call.id,
        step=call.step,
        cause=found.cause,
        place=place,
        offset=found.offset,
        paid_by=earlier.id if earlier is not None else None,
        other_session=earlier is not None and earlier.task != call.task,
        shared_tokens=call.tokens(shared.any.size),
        lost_tokens=lost,
        estimated=bool(call.parts),
        cost_s=cost,
        why_no_cost=why_not,
        sentence=found.sentence,
        fix=found.fix,
    )


def _notes(calls: Sequence[PromptedCall], price: Price) -> list[str]:
    unknown = sum(not (call.parts or call.blocks) for call in calls)
    notes: list[str] = []
    if unknown:
        notes.append(f"The prompts of {unknown:,} of {len(calls):,} calls are not known.")
    if price.unknown is not None:
        notes.append(f"What a prompt token costs here is not known: {price.unknown}.")
    silent = sum(call.cached_tokens is None and not call.failed for call in calls)
    if silent:
        notes.append(f"Cached tokens are not reported for {silent:,} of {len(calls):,} calls.")
    return notes
