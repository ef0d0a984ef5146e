"""What a list of tasks shows of each, counted in SQL from the columns beside the spans, so that no span is decoded."""

import sqlite3
import time
from collections.abc import Iterator

import msgspec

from tithe.core.attributes import SOURCE
from tithe.trace.recorder import SILENT_S, STATE, Recorder


class TaskSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A task in a list.

    `started` is in seconds since the epoch, `wall_s` from its first span's start to its last one's end (or start, while
    that is open). `calls` counts logical calls, `attempts` their HTTP requests (a call without attempts is one). `tools`
    are tool runs that were reported or, if there are more of those, tool results that requests brought. `errors` are
    attempts and tool runs that failed; an answer that the agent hung up on once it had begun is none. What is told twice is counted once. Tokens are None where no call reported any. `finished`: its end was seen, or
    that of its recording; `source`: that of the recording that has it first; `recorder`: whether what writes that still lives.
    `exit_status` is that of the command that the task ran in, as a shell has it, and `signal` the one that ended it; None
    where there was none, or it has not ended.
    """

    id: str
    name: str | None
    session: str | None
    source: str
    recording: int
    started: float
    wall_s: float
    calls: int
    attempts: int
    tools: int
    errors: int
    input_tokens: int | None
    output_tokens: int | None
    finished: bool
    recorder: Recorder = "ended"
    exit_status: int | None = None
    signal: int | None = None


# A call's attempts are counted, and their tokens, unless it has none: then the call's own. `one` is the call, and NULL for
# all else; an attempt that hangs under something else than a call is one by itself.
_SUMMARIES = f"""
WITH chosen AS (
    SELECT tasks.number, tasks.id, coalesce(tasks.name, recordings.name, tasks.called) AS name, tasks.session, recordings.source,
        tasks.recording, tasks.started, recordings.finished IS NOT NULL AS over, recordings.exit_status,
        recordings.signal, {STATE} AS recorder
    FROM tasks JOIN recordings ON recordings.number = tasks.recording
    WHERE (:source IS NULL OR recordings.source = :source OR EXISTS (
            SELECT 1 FROM spans WHERE spans.task = tasks.number AND instr(body, :told))) AND (:since IS NULL OR tasks.started >= :since)
        AND (:recording IS NULL OR tasks.number IN (SELECT task FROM spans WHERE spans.recording = :recording))
        AND (:text IS NULL OR instr(folded(coalesce(tasks.name, recordings.name, tasks.called, '')), folded(:text))
            OR instr(folded(coalesce(tasks.session, '')), folded(:text)))
    ORDER BY tasks.started DESC, tasks.number DESC LIMIT :limit),
calls AS (
    SELECT task, CASE WHEN kind = 'attempt' AND
            (SELECT kind FROM spans AS held WHERE held.id = spans.call AND held.number <> spans.number) <> 'call'
        THEN spans.number ELSE call END AS one, max(max(began, coalesce(ended, began))) AS ended,
        sum(kind = 'attempt') AS attempts, sum(kind = 'tool') AS tools, max(results) AS results,
        max(kind = 'task' AND spans.ended IS NOT NULL) AS over,
        sum(failed AND kind IN ('attempt', 'tool')) AS errors, max(failed AND kind = 'call') AS call_failed,
        sum(CASE WHEN kind = 'attempt' THEN input END) AS attempts_input,
        sum(CASE WHEN kind = 'attempt' THEN output END) AS attempts_output,
        max(CASE WHEN kind = 'call' THEN input END) AS call_input,
        max(CASE WHEN kind = 'call' THEN output END) AS call_output
    FROM chosen JOIN spans ON spans.task = chosen.number GROUP BY task, one)
SELECT chosen.id, name, session, source, recording, started, max(ended) - started,
    count(one), coalesce(sum(CASE WHEN one IS NOT NULL THEN max(attempts, 1) END), 0),
    max(sum(tools), sum(results)),
    sum(CASE WHEN one IS NOT NULL AND attempts = 0 THEN call_failed ELSE errors END),
    sum(coalesce(attempts_input, call_input)), sum(coalesce(attempts_output, call_output)),
    max(max(chosen.over), max(calls.over)), chosen.recorder, chosen.exit_status, chosen.signal
FROM chosen JOIN calls ON calls.task = chosen.number
GROUP BY chosen.number ORDER BY started DESC, chosen.number DESC
"""  # noqa: S608 - no text of anyone's


def read_summaries(
    connection: sqlite3.Connection,
    *,
    source: str | None,
    since: float | None,
    recording: int | None,
    text: str | None,
    limit: int | None,
) -> Iterator[TaskSummary]:
    """The newest tasks first; see `Store.tasks`."""
    connection.create_function(
        "folded", 1, str.casefold, deterministic=True
    )  # SQLite's own knows ASCII alone
    asked = {
        "source": source,
        # As it stands in a span's body; only asked of tasks whose recording is of another source.
        "told": None if source is None else msgspec.msgpack.encode(SOURCE) + msgspec.msgpack.encode(source),
        "since": since,
        "recording": recording,
        "text": text,
        "limit": -1 if limit is None else limit,
        "now": time.time(),
        "silent": SILENT_S,
    }
    for row in connection.execute(_SUMMARIES, asked):
        named = dict(zip(TaskSummary.__struct_fields__, row, strict=True))
        named["finished"] = bool(named["finished"])
        yield TaskSummary(**named)
