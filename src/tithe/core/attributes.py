"""The names of span attributes that more than one room reads or writes.

Where OpenTelemetry's GenAI conventions have a name it is theirs (`gen_ai.*`, `http.*`, `error.*`, `server.*`), else it
is `tithe.*`. An attribute that is absent was not reported; none is ever zero for that. All times are seconds, and
`*_s` names of instants are offsets from the span's own `start`. docs/record.md is the dictionary.
"""

from typing import Any

from tithe.core.usage import Usage

# What was asked.
OPERATION = "gen_ai.operation.name"
PROVIDER = "gen_ai.provider.name"
CONVERSATION = "gen_ai.conversation.id"
AGENT_NAME = "gen_ai.agent.name"
REQUEST_MODEL = "gen_ai.request.model"
REQUEST_STREAM = "gen_ai.request.stream"
MAX_TOKENS = "gen_ai.request.max_tokens"
TEMPERATURE = "gen_ai.request.temperature"
CHOICES = "gen_ai.request.choice.count"
SERVER = "server.address"
USER_AGENT = "user_agent.original"
SERVER_PORT = "server.port"
STATUS = "http.response.status_code"
ERROR = "error.type"

# What came.
RESPONSE_ID = "gen_ai.response.id"
RESPONSE_MODEL = "gen_ai.response.model"
FINISH_REASONS = "gen_ai.response.finish_reasons"
TIME_TO_FIRST_CHUNK = "gen_ai.response.time_to_first_chunk"
INPUT_TOKENS = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
CACHE_READ_TOKENS = "gen_ai.usage.cache_read.input_tokens"
CACHE_WRITE_TOKENS = "gen_ai.usage.cache_write.input_tokens"
REASONING_TOKENS = "gen_ai.usage.reasoning.output_tokens"

# A tool run.
TOOL_NAME = "gen_ai.tool.name"
TOOL_TYPE = "gen_ai.tool.type"
TOOL_CALL_ID = "gen_ai.tool.call.id"

# The instants of an attempt or call, as offsets from its start, and what the endpoint told of its inside.
CONNECT = "tithe.connect_s"  # how long opening the connection took, at the span's beginning
SENT = "tithe.sent_s"  # the request's last byte was written
FIRST_TOKEN = "tithe.first_token_s"  # noqa: S105 - of a model, not of a key
FIRST_VISIBLE = "tithe.first_visible_s"  # to the first token that is not reasoning
LAST_TOKEN = "tithe.last_token_s"  # noqa: S105
PHASES = "tithe.phases"  # [[kind, start_s, end_s], ...], kind: reasoning | arguments | answer
PREPARE = "tithe.prepare_s"
QUEUE = "tithe.queue_s"
PREFILL = "tithe.prefill_s"
DECODE = "tithe.decode_s"
TTFT_FROM = "tithe.ttft_from"  # "chunk" where FIRST_TOKEN is of the first chunk, whatever it held

# Of a call that was held back to another endpoint's pace (`core.paced`): that pace, the endpoint's own times, what was added.
EMULATED_TTFT = "tithe.emulated.ttft_s"
EMULATED_RATE = "tithe.emulated.tokens_per_s"
OWN_FIRST_TOKEN = "tithe.own.first_token_s"  # noqa: S105 - of a model, not of a key
OWN_LAST_TOKEN = "tithe.own.last_token_s"  # noqa: S105
ADDED = "tithe.added_s"  # to the last token

# How an attempt stands to the others of its task.
API = "tithe.api"  # chat | responses | messages
BRANCH = "tithe.branch"  # the id of the branch it is in; absent on the task's own line
BRANCH_OF = "tithe.branch_of"  # the id of the call that the branch came from
RELATION = "tithe.relation"  # new | extends | retry | repeat | edited | compacted
ASKED_TOOLS = "tithe.tool_calls"  # [[id, name], ...] that the answer asked for
ANSWER = "tithe.answer"  # [[role, digest, canonical, masked, bare, size], ...]: the answer as the next prompt may have it
TOOL_RESULTS = "tithe.tool_results"  # [id, ...] that the request brings for the first time
NEW_ROLES = "tithe.new_roles"  # roles of the messages that the request has beyond the call it extends
HAS_TOOLS = "tithe.has_tools"  # whether the request defines tools
REQUEST_DIGEST = "tithe.request_digest"
SESSION_FROM = "tithe.session_from"  # the header or field that named the session
TRACE_PARENT = "tithe.trace_parent"  # [trace id, span id] of the span that the request says it is made in
UNREAD = (
    "tithe.unread"  # what of an attempt's bodies could not be read, and why; what that would tell is missing
)
BLOCKS = "tithe.blocks"  # [[first, count], ...]: the prompt's hash blocks, as runs of consecutive ids; same id, same prefix
BLOCK_TOKENS = "tithe.block_tokens"  # how many tokens a block has

# Any span.
REPLAY_OF = "tithe.replay_of"  # the id of the recorded span that this one replays
UNTIMED = "tithe.untimed"  # True: how long it took is not reported; its end is its start
SEEN = "tithe.seen"  # "outside": taken from the calls around it, so an upper bound
SOURCE = "tithe.source"  # proxy | otlp | api | server | import:FORMAT
BUCKET = "tithe.bucket"  # what an `other` span was, in the ledger's words
SPECULATIVE = "tithe.speculative"  # True: the work was thrown away
RUNS_OUT = "tithe.open"  # True: no end was seen, and the one it has is of what came last
DUPLICATE_OF = (
    "tithe.duplicate_of"  # the id of the span that tells of the same thing; this one does not count
)
CLOCK_SKEW = "tithe.clock_skew_s"  # an exported span ends so much after it was received, or before its start

# What an export says of its spans, so that an import has back what was recorded.
KIND = "tithe.kind"  # the span's kind
NAME = "tithe.name"  # its name, where the conventions give it another
MADE = "tithe.made"  # True: no such span was recorded; it was made so that the tree is whole
OF_ATTEMPT = (
    "tithe.attempt."  # before an attempt's `gen_ai.*` names: the call's own say the same, and are counted
)


def usage_attributes(usage: Usage | None) -> dict[str, Any]:
    """A call's tokens by their names; what is not reported is None here, and nothing at all where there is no usage."""
    if usage is None:
        return {}
    return {
        INPUT_TOKENS: usage.prompt_tokens,
        OUTPUT_TOKENS: usage.completion_tokens,
        CACHE_READ_TOKENS: usage.cached_tokens,
        REASONING_TOKENS: usage.reasoning_tokens,
    }
