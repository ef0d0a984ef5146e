"""`--emulate ttft=600ms,tps=60,jitter=0.1`: the pace of an endpoint, as a flag has it."""

from tithe.cli.durations import seconds
from tithe.core.errors import UsageError
from tithe.core.paced import Pace

_KNOWN = ("ttft", "tps", "jitter", "seed")
_LIKE = "give it like ttft=600ms,tps=60 or ttft=600ms,tps=60,jitter=0.1"
_LONGEST_S = 600.0


def read_pace(text: str) -> Pace:
    """The pace that the flag names. Raises `UsageError` that says which part of it is wrong, and what is right."""
    given = _parts(text)
    ttft_s = seconds(given["ttft"], "--emulate: ttft")
    if ttft_s > _LONGEST_S:
        raise UsageError(f"--emulate: ttft is {given['ttft']}; it is at most {_LONGEST_S:g}s.")
    return Pace(
        ttft_s=ttft_s,
        tokens_per_s=_number(given["tps"], "tps", 0.1, 100_000.0),
        jitter=_number(given.get("jitter", "0"), "jitter", 0.0, 2.0),
        seed=_seed(given.get("seed", "0")),
    )


def _parts(text: str) -> dict[str, str]:
    given: dict[str, str] = {}
    for piece in text.split(","):
        name, equals, value = (part.strip() for part in piece.partition("="))
        if not equals or name not in _KNOWN:
            raise UsageError(f"--emulate knows no {piece.strip()!r} (but {', '.join(_KNOWN)}); {_LIKE}.")
        if name in given:
            raise UsageError(f"--emulate has {name} twice.")
        given[name] = value
    missing = [name for name in ("ttft", "tps") if name not in given]
    if missing:
        raise UsageError(f"--emulate lacks {' and '.join(missing)}; {_LIKE}.")
    return given


def _number(text: str, name: str, least: float, most: float) -> float:
    try:
        number = float(text)
    except ValueError:
        raise UsageError(f"--emulate: {name} is {text!r}, which is no number.") from None
    if not least <= number <= most:
        raise UsageError(f"--emulate: {name} is {text}; it is between {least:g} and {most:g}.")
    return number


def _seed(text: str) -> int:
    seed = _number(text, "seed", 0, 2**31)
    if not seed.is_integer():
        raise UsageError(f"--emulate: seed is {text}; it is a whole number.")
    return int(seed)


def told(pace: Pace) -> str:
    """The pace in words."""
    spread = f", give or take {pace.jitter:.0%}" if pace.jitter else ""
    return f"{pace.ttft_s * 1e3:g} ms to the first token{spread}, then {pace.tokens_per_s:g} tokens/s"
