"""An attempt's attributes, from what was seen of its request and its answer. Names are those of `core/attributes.py`."""

from typing import Any

import msgspec

from tithe.core import attributes as names
from tithe.core.exchange import SeenAnswer, SeenRequest
from tithe.trace.grouping import Placement

SOURCE = "proxy"


def request_attributes(
    request: SeenRequest, placement: Placement, server: str, port: int | None
) -> dict[str, Any]:
    """What is known when an attempt starts. `server` and `port` are where it goes to."""
    return _reported(
        {
            **request.attributes,
            names.OPERATION: "chat",
            names.REQUEST_MODEL: request.model,
            names.REQUEST_STREAM: request.stream,
            names.CONVERSATION: request.session,
            names.SESSION_FROM: request.session_from,
            names.SERVER: server or None,
            names.SERVER_PORT: port,
            names.SOURCE: SOURCE,
            names.API: request.api,
            names.HAS_TOOLS: request.has_tools,
            names.TOOL_RESULTS: list(request.results) or None,
            names.REQUEST_DIGEST: request.digest or None,
            names.RELATION: placement.relation,
            names.NEW_ROLES: list(placement.new_roles) or None,
            names.TRACE_PARENT: list(request.trace_parent) if request.trace_parent is not None else None,
            names.UNREAD: request.unread,
            names.BRANCH: placement.branch,
            names.BRANCH_OF: placement.branch_of,
        }
    )


def answer_attributes(
    answer: SeenAnswer,
    started: float,
    *,
    status: int | None,
    sent_at: float | None,
    connected: float | None,
) -> dict[str, Any]:
    """What is known when it has ended. Instants become offsets from `started`; `connected` is a duration."""

    def since(at: float | None) -> float | None:
        # What was read before the request was wholly written is not earlier than the attempt.
        return None if at is None else max(0.0, at - started)

    facts = answer.facts
    told = {
        names.STATUS: status,
        names.ERROR: answer.error,
        names.CONNECT: connected,
        names.SENT: since(sent_at),
        names.FIRST_TOKEN: since(answer.first_token),
        names.FIRST_VISIBLE: since(answer.first_visible),
        names.LAST_TOKEN: since(answer.last_token),
        names.PHASES: [[phase.kind, since(phase.start), since(phase.end)] for phase in answer.phases] or None,
        names.RESPONSE_ID: answer.id,
        names.RESPONSE_MODEL: answer.model,
        names.FINISH_REASONS: list(answer.finish_reasons) or None,
        names.CACHE_WRITE_TOKENS: answer.cache_write_tokens,
        names.UNREAD: answer.unread,
        names.ASKED_TOOLS: [list(call) for call in answer.tool_calls] or None,
        names.ANSWER: [
            [part.role, part.digest, part.canonical, part.masked, part.bare, part.size]
            for part in answer.parts
        ]
        or None,
    }
    told |= names.usage_attributes(answer.usage)
    if facts is not None:
        told |= {f"tithe.{name}": value for name, value in msgspec.structs.asdict(facts).items()}
    return _reported(told)


def _reported(attributes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if value is not None}
