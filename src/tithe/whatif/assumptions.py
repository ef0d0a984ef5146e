"""What a projection takes for granted, said with it: only what this change and these tasks make use of."""

from collections.abc import Mapping, Sequence

import numpy as np

from tithe.whatif.answers import VERIFY_TOKENS
from tithe.whatif.beside import Beside
from tithe.whatif.calltimes import CallTimes
from tithe.whatif.change import Change
from tithe.whatif.fit import Fit
from tithe.whatif.table import Table


def assumptions(tables: Sequence[Table], change: Change, own: Mapping[str, CallTimes]) -> tuple[str, ...]:
    """A sentence each."""
    used = [change.profile.times] if change.profile is not None else []
    if change.profile is None and change != Change():
        sources = {source for table in tables for source in table.sources}
        used = [times for source, times in sorted(own.items()) if source in sources]
    said = [doubt for times in used for doubt in times.doubts]
    said.append("The agent does the same: as many steps, the same prompts, answers of the same length.")
    if change.tools == 1 and not change.parallel_tools:
        said.append("Tools, framework and people take what they took.")
    said += _endpoint(tables, change, own)
    if change.cache == "warm":
        said.append("A prompt is cached as far as it can repeat the call before it and that one's answer.")
    if change.cache == "cold":
        said.append("No prompt finds anything cached.")
    if change.retries is not None:
        said.append(
            "An attempt fails by chance, whole: it takes what the call that answers takes, without backoff."
        )
    if change.candidates > 1:
        said.append(_candidates(change, own))
    if change.verify:
        said.append(
            f"A check is a call that reads the answer, the rest cached, and says {VERIFY_TOKENS} tokens."
        )
    if change.parallel_tools:
        said.append(
            "Tools that one answer asked for don't need each other's results; the longest is waited for."
        )
    if change.agents > 1:
        said.append(
            f"{change.agents} such agents share the endpoint, and slow each other down as the audit's agents did."
        )
    return tuple(said)


def _endpoint(tables: Sequence[Table], change: Change, own: Mapping[str, CallTimes]) -> list[str]:
    said: list[str] = []
    calls = sum(len(table.calls) for table in tables)
    if change.profile is not None:
        silent = sum(
            int(np.count_nonzero(table.answered & (np.isnan(table.prompt) | np.isnan(table.decoded))))
            for table in tables
        )
        if silent:
            said.append(f"{silent} of {calls} calls report no tokens: they take what they took.")
        guessed = sum(
            int(np.count_nonzero(np.isnan(table.cached) & ~np.isnan(table.prompt))) for table in tables
        )
        if guessed and change.cache is None and change.profile.times.knows_cache():
            said.append(
                f"{guessed} of {calls} calls report no cached tokens: the endpoint is taken to cache what each repeats."
            )
        said += _beyond(tables, change.profile.times)
    else:
        said += _given(tables, change, own, calls)
    if change.speedup != 1:
        said.append(
            "Queue, first tokens, decoding and failed attempts are all so many times as fast; backoff is not."
        )
        if any(source in own and own[source].fits for table in tables for source in table.sources):
            said.append(
                "Each call's chance is drawn anew: it scatters around its fit as the recorded ones did."
            )
    return said


def _given(tables: Sequence[Table], change: Change, own: Mapping[str, CallTimes], calls: int) -> list[str]:
    said: list[str] = []
    if change.ttft_s is not None:
        said.append("Every TTFT is the given one, whatever the prompt and the cache.")
    if change.tokens_per_s is not None:
        silent = sum(int(np.count_nonzero(table.answered & np.isnan(table.decoded))) for table in tables)
        if silent:
            said.append(f"{silent} of {calls} calls report no output tokens: they take what they took.")
    if change.ttft_s is not None or change.tokens_per_s is not None:
        used = [own[source] for source in {s for table in tables for s in table.sources} if source in own]
        if any(isinstance(fit, Fit) for times in used for fit in (times.ttft, times.decode, times.whole)):
            said.append("Times scatter around the given ones as the recorded ones do around their fit.")
        else:
            said.append("The given times do not scatter: too few calls are known to tell how they would.")
    split = sum(int(np.count_nonzero(table.in_one & ~np.isnan(table.ttft))) for table in tables)
    if split and (change.ttft_s is None) != (change.tokens_per_s is None):
        said.append(f"{split} of {calls} answers came in one piece: their TTFT is told by the fit.")
    whole = sum(int(np.count_nonzero(table.in_one & np.isnan(table.ttft))) for table in tables)
    if whole and (change.ttft_s is None) != (change.tokens_per_s is None):
        said.append(
            f"{whole} of {calls} answers came in one piece: with one of TTFT and rate given they stay as they were."
        )
    return said


def _candidates(change: Change, own: Mapping[str, CallTimes]) -> str:
    profile = change.profile
    used = [profile.times] if profile is not None else list(own.values())
    laws = [law for times in used for law in (times.ttft_beside, times.decode_beside)]
    known = [law for law in laws if isinstance(law, Beside)]
    if not known:
        contend = "and not slowed down by each other, which nothing that is known tells"
    elif any(law.share > 0 for law in known):
        contend = "and slow each other down as calls beside others did"
    else:
        contend = "and do not slow each other down, as calls beside others did not"
    scattered = profile is not None or any(times.fits for times in own.values())
    apart = "drawn apart" if scattered else "equally fast, since nothing tells how they scatter"
    return f"{change.candidates} candidates are {apart}, {contend}; the slowest is waited for, and choosing takes nothing."


def _beyond(tables: Sequence[Table], times: CallTimes) -> list[str]:
    """Sizes that the fit has not seen."""
    if not isinstance(times.ttft, Fit) or not isinstance(times.decode, Fit):
        return []
    most_prompt = sum(one.high for one in times.ttft.ranges.values())
    most_decoded = times.decode.ranges["decoded tokens"].high
    said: list[str] = []
    for what, sizes, most in (
        ("prompts", [table.prompt for table in tables], most_prompt),
        ("answers", [table.decoded for table in tables], most_decoded),
    ):
        longer = sum(int(np.count_nonzero(size > most)) for size in sizes)
        if longer:
            count = sum(len(size) for size in sizes)
            said.append(
                f"Extrapolated: {longer} of {count} {what}, longer than any that the profile has seen ({most:,.0f} tokens)."
            )
    return said
