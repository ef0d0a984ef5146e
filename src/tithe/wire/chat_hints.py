"""Hints: fields of OpenAI's API and of other servers' that say how to serve a request, not what to answer.

An agent that sends them to one server sends them to all, so none fails a request, whatever its value (a
number that no JSON reader holds, such as 1e999, aside). A value that cannot be used is left out, and its
field is named in `Hints.unused`. What is used:

- `session_id`, else `prompt_cache_key`, names the session; of a number, its text does.
- `priority`, a whole number: higher is served sooner, as `core.Request` and SGLang have it. (vLLM has it
  the other way round; its lowest is first.) It is clamped to -100 .. 100: the engine makes one level worth
  so many seconds of waiting (`ageing`), and a bound on the levels is a bound on how long anyone is kept
  waiting by those above.
- `cache_salt` narrows the cache domain, within the caller's own `isolation`. Every value does, by its JSON
  text with sorted keys: a salt that was dropped for its type would share what its sender wants kept apart.
- `chat_template_kwargs` are given to the template, and so is `reasoning_effort`, which for "none" also
  sets `enable_thinking` to false (the switch that Qwen's and GLM's templates have). The explicit ones win.
  Whether the template reads them is only known to the backend, which tells in `Sent.unused`.

The others are kept in `Request.extra`, for a backend that passes the request on.
"""

import hashlib
from typing import Any, cast

import msgspec

from tithe.core.errors import InvalidRequest
from tithe.core.request import Request
from tithe.wire.chat_fault import check_depth, translated
from tithe.wire.chat_payload import ChatPayload

MOST_PRIORITY = 100
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
_PASSIVE: dict[str, type] = {
    "user": str,
    "metadata": dict,
    "prompt_cache_retention": str,
    "safety_identifier": str,
    "service_tier": str,
    "prediction": dict,
    "verbosity": str,
    "nvext": dict,
}
# The endpoint sets these variables of a template itself.
_TEMPLATE_OWN = ("messages", "tools", "add_generation_prompt")


class Hints(msgspec.Struct, frozen=True, kw_only=True):
    """What a request's hints come to. `variables`: the template's variables that each field sets."""

    session: str | None
    priority: int
    isolation: str
    template: dict[str, Any]
    extra: dict[str, Any]
    variables: dict[str, tuple[str, ...]]
    unused: tuple[str, ...]


def decode_hints(payload: ChatPayload, isolation: str) -> Hints:
    """Read the hints of a request whose sender's cache domain is `isolation`.

    Raises:
        InvalidRequest: a salt nested about as deep as a body may be at all.
    """
    unused = [field for field in _PASSIVE if getattr(payload, field) is not None]
    priority = _priority(payload.priority)
    if payload.priority is not None and priority is None:
        unused.append("priority")
    effort = _effort(payload.reasoning_effort)
    if payload.reasoning_effort is not None and not effort:
        unused.append("reasoning_effort")
    explicit = _explicit(payload.chat_template_kwargs, unused)
    variables: dict[str, tuple[str, ...]] = {f"chat_template_kwargs.{name}": (name,) for name in explicit}
    if effort:
        variables["reasoning_effort"] = tuple(name for name in effort if name not in explicit)
    return Hints(
        session=_session(payload, unused),
        priority=priority or 0,
        isolation=_salted(isolation, payload.cache_salt),
        template=effort | explicit,
        extra=_passed_on(payload),
        variables=variables,
        unused=tuple(unused),
    )


def encode_hints(request: Request) -> dict[str, Any]:
    """The fields that say what `request` hints at, `extra` aside."""
    payload: dict[str, Any] = {}
    if request.session is not None:
        payload["prompt_cache_key"] = request.session
    if request.priority:
        payload["priority"] = request.priority
    implied = _effort(request.template.get("reasoning_effort"))
    payload |= {"reasoning_effort": implied["reasoning_effort"]} if implied else {}
    rest = {name: value for name, value in request.template.items() if (name, value) not in implied.items()}
    if rest:
        payload["chat_template_kwargs"] = rest
    return payload


def _session(payload: ChatPayload, unused: list[str]) -> str | None:
    chosen: str | None = None
    for field in ("session_id", "prompt_cache_key"):
        given: Any = getattr(payload, field)
        name = _name(given)
        if chosen is None:
            chosen = name
        if given is not None and (name is None or name != chosen):
            unused.append(field)
    return chosen


def _name(given: Any) -> str | None:
    if isinstance(given, int | float) and not isinstance(given, bool):
        return msgspec.json.encode(given).decode()
    return given if isinstance(given, str) else None


def _priority(given: Any) -> int | None:
    if isinstance(given, bool) or not isinstance(given, int | float) or given != int(given):
        return None
    return max(-MOST_PRIORITY, min(MOST_PRIORITY, int(given)))


def _salted(isolation: str, salt: Any) -> str:
    """The cache domain. The length in front keeps ("ab", "c") from meeting ("a", "bc"), and the hash
    keeps a salt from being chosen so that the result is somebody else's domain."""
    if salt is None:
        return isolation
    try:
        text = msgspec.json.encode(salt, order="sorted")
    except RecursionError as error:
        raise translated(error) from None
    return "salted:" + hashlib.sha256(f"{len(isolation)}:{isolation}".encode() + text).hexdigest()


def _effort(given: Any) -> dict[str, Any]:
    if given not in EFFORTS:
        return {}
    return {"reasoning_effort": given} | ({"enable_thinking": False} if given == "none" else {})


def _explicit(given: Any, unused: list[str]) -> dict[str, Any]:
    if not isinstance(given, dict):
        unused += ["chat_template_kwargs"] if given is not None else []
        return {}
    explicit = cast("dict[str, Any]", given)
    kept = {
        name: value
        for name, value in explicit.items()
        if name not in _TEMPLATE_OWN and _is_shallow(value, f"chat_template_kwargs.{name}")
    }
    unused += [f"chat_template_kwargs.{name}" for name in explicit if name not in kept]
    return kept


def _passed_on(payload: ChatPayload) -> dict[str, Any]:
    """The passive hints that another server can be expected to take."""
    given = {field: getattr(payload, field) for field in _PASSIVE}
    return {
        field: value
        for field, value in given.items()
        if isinstance(value, _PASSIVE[field]) and _is_shallow(value, field)
    }


def _is_shallow(value: Any, param: str) -> bool:
    try:
        check_depth(value, param)
    except InvalidRequest:
        return False
    return True
