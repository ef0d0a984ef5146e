"""What a node's own time is, as slices from its start to its end.

A call that was answered, by the stamps of its answering attempt (docs/record.md draws them):

    connect    until the connection stood
    overhead   until the request's last byte was written
    queue      what the endpoint says the request waited, from there on
    prefill    until the first generated token
    decode     until the last, cut into reasoning, tool arguments and answer where its chunks tell
    overhead   until the end of the response

Prefill is shown as cached and uncached where the endpoint reports cached tokens: in proportion to the tokens, so that it
says for which part of the prompt a task waited, and no more (what a cached token saves is the doctor's to say). An
answer in one piece has no first token: where the endpoint tells its own times they are taken, else all of it is
`inference`.

What came before the attempt that answered is retry, each failed attempt from its beginning to the next one's, so backoff is in it;
so is a call that failed for good, whole.
"""

from tithe.core import attributes as at
from tithe.trace.buckets import Bucket
from tithe.trace.node import Node, answering

# (start, end, bucket, detail) on the node's own clock.
Own = tuple[float, float, Bucket, str | None]

_PLAIN: dict[str, Bucket] = {"tool": "tool", "validation": "validation", "user": "user"}
_BUCKETS: frozenset[str] = frozenset(Bucket.__args__)
_PHASES = frozenset(("reasoning", "arguments", "answer"))


def own_slices(node: Node) -> list[Own]:
    """What the node's time is, children of a call included and of anything else not. They tile [start, end]."""
    if node.end <= node.start:
        return []
    if node.span.attributes.get(at.SPECULATIVE):
        return [(node.start, node.end, "speculation", None)]
    if node.kind == "call":
        return _call(node)
    if node.kind == "attempt":
        return _attempt(node, answered=answering([node]) is not None)
    bucket = _PLAIN.get(node.kind)
    if bucket is not None:
        return [(node.start, node.end, bucket, None)]
    named = node.span.attributes.get(at.BUCKET)
    return [(node.start, node.end, named if named in _BUCKETS else "overhead", node.span.name)]


def _call(call: Node) -> list[Own]:
    attempts = call.attempts
    if not attempts:
        return _attempt(call, answered=answering([call]) is not None)
    if len(attempts) == 1:
        slices = _attempt(attempts[0], answered=answering(attempts) is not None)
    else:
        attempts.sort(key=lambda one: one.start)
        slices = _several(attempts)
    last = slices[-1][1] if slices else attempts[-1].end
    if call.start < attempts[0].start:
        slices.insert(0, (call.start, attempts[0].start, "overhead", "before the request"))
    if last < call.end:
        slices.append((last, call.end, "overhead", "after the response"))
    return slices


def _several(attempts: list[Node]) -> list[Own]:
    """A call with retries. Whatever ran while another attempt did is told by the later one."""
    answered = answering(attempts)
    slices: list[Own] = []
    until, over = attempts[0].start, False
    for place, attempt in enumerate(attempts):
        following = attempts[place + 1].start if place + 1 < len(attempts) else None
        if attempt.start > until:
            slices.append(
                (until, attempt.start, "overhead", "after the response")
                if over
                else (until, attempt.start, "retry", "backoff")
            )
            until = attempt.start
        if attempt is answered:
            slices += _attempt(attempt, answered=True)
            until, over = max(until, attempt.end), True
            continue
        ended = attempt.end if following is None or over else min(attempt.end, following)
        if ended > until:
            slices.append((until, ended, "retry", attempt.span.error or "abandoned"))
            until = ended
    return slices


def _attempt(node: Node, *, answered: bool) -> list[Own]:
    start, end = node.start, node.end
    if end <= start:
        return []
    told = node.span.attributes
    if not answered:
        return [(start, end, "retry", node.span.error or "abandoned")]
    slices: list[Own] = []
    sent = start
    connect, wrote = told.get(at.CONNECT), told.get(at.SENT)
    if connect is not None and connect > 0:
        sent = min(start + connect, end)
        if sent > start:
            slices.append((start, sent, "connect", None))
    if wrote is not None and (written := min(start + wrote, end)) > sent:
        slices.append((sent, written, "overhead", "before the request"))
        sent = written
    first = _first_token(node, sent - start)
    if first is None:
        _in_one_piece(node, sent, slices)
        return slices
    first = min(max(start + first, sent), end)
    queue = told.get(at.QUEUE)
    if queue is not None and (served := min(sent + queue, first)) > sent:
        slices.append((sent, served, "queue", None))
        sent = served
    _prefill(told.get(at.INPUT_TOKENS), told.get(at.CACHE_READ_TOKENS), sent, first, slices)
    last = told.get(at.LAST_TOKEN)
    last = end if last is None else min(max(start + last, first), end)
    _decode(told.get(at.PHASES), start, first, last, slices)
    if end > last:
        slices.append((last, end, "overhead", "after the last token"))
    return slices


def _first_token(node: Node, sent: float) -> float | None:
    told = node.span.attributes
    first = told.get(at.FIRST_TOKEN)
    if first is None and (chunk := told.get(at.TIME_TO_FIRST_CHUNK)) is not None:
        return sent + chunk
    return first


def _prefill(prompt: int | None, cached: int | None, sent: float, first: float, slices: list[Own]) -> None:
    if first <= sent:
        return
    if not prompt or cached is None:
        slices.append((sent, first, "prefill", None))
        return
    split = sent + (first - sent) * min(max(cached, 0) / prompt, 1.0)
    if split > sent:
        slices.append((sent, split, "prefill", "cached"))
    if first > split:
        slices.append((split, first, "prefill", "uncached"))


def _decode(
    phases: list[tuple[str, float, float]] | None, start: float, first: float, last: float, slices: list[Own]
) -> None:
    """First to last token, each moment with the phase that it led to: a gap belongs to the chunk that ended it."""
    at_ = first
    for place, (kind, _, ended) in enumerate(phases or ()):
        until = (
            last if phases is not None and place == len(phases) - 1 else min(max(start + ended, at_), last)
        )
        if until > at_:
            slices.append((at_, until, "decode", kind if kind in _PHASES else None))
            at_ = until
    if last > at_:
        slices.append((at_, last, "decode", None))


def _in_one_piece(node: Node, sent: float, slices: list[Own]) -> None:
    """An answer without a first token: by the endpoint's own times where it tells them."""
    told, end = node.span.attributes, node.end
    prefill, decode = told.get(at.PREFILL), told.get(at.DECODE)
    if prefill is None or decode is None:
        if end > sent:
            slices.append((sent, end, "inference", None))
        return
    prefill, decode = max(prefill, 0.0), max(decode, 0.0)
    served = min(sent + max(told.get(at.QUEUE) or 0.0, 0.0), end)
    if served > sent:
        slices.append((sent, served, "queue", None))
    first = min(served + max(told.get(at.PREPARE) or 0.0, 0.0) + prefill, end)
    _prefill(told.get(at.INPUT_TOKENS), told.get(at.CACHE_READ_TOKENS), served, first, slices)
    last = min(first + decode, end)
    if last > first:
        slices.append((first, last, "decode", None))
    if end > last:
        slices.append((last, end, "overhead", "after the last token"))
