"""Prompts in the store, as a trie: what a prompt has in common with an earlier one is there once.

A node is a part of a prompt after all the parts before it: its id is a digest of its parent's id and of the part. A
span refers to the node that its prompt ends in. So a conversation whose every step sends its whole history takes room
for each message once, not for each message of each step.
"""

import hashlib
import sqlite3
from collections.abc import Iterable, Sequence

import msgspec

from tithe.core.part import Part

_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Part)


def write_prompt(connection: sqlite3.Connection, span: str, parts: Sequence[Part]) -> None:
    """Keep the prompt of `span`, in the transaction that is open. An empty one says nothing and is not kept."""
    if not parts:
        return
    bodies = [_ENCODER.encode(part) for part in parts]
    ids: list[bytes] = []
    before = b""
    for body in bodies:
        before = hashlib.blake2b(before + body, digest_size=16).digest()
        ids.append(before)
    # A node that is there has all of its ancestors: look from the end.
    node: int | None = None
    new = len(ids)
    while new and node is None:
        found = connection.execute("SELECT number FROM nodes WHERE id = ?", (ids[new - 1],)).fetchone()
        if found is not None:
            [node] = found
        else:
            new -= 1
    for position in range(new, len(ids)):
        node = connection.execute(
            "INSERT INTO nodes (id, parent, part) VALUES (?, ?, ?)", (ids[position], node, bodies[position])
        ).lastrowid
    connection.execute("INSERT OR REPLACE INTO prompts VALUES (?, ?)", (span, node))


def read_prompts(connection: sqlite3.Connection, spans: Iterable[str]) -> dict[str, tuple[Part, ...]]:
    """The prompts of those of `spans` that have one. What they have in common are the same objects."""
    wanted = msgspec.json.encode(list(spans)).decode()
    ends: list[tuple[str, int]] = connection.execute(
        "SELECT span, node FROM prompts WHERE span IN (SELECT value FROM json_each(?))", (wanted,)
    ).fetchall()
    nodes: dict[int, tuple[int | None, Part]] = {
        number: (parent, _DECODER.decode(part))
        for number, parent, part in connection.execute(
            """WITH RECURSIVE held (number) AS (
                SELECT node FROM prompts WHERE span IN (SELECT value FROM json_each(?))
                UNION SELECT nodes.parent FROM held JOIN nodes USING (number) WHERE nodes.parent IS NOT NULL)
            SELECT number, parent, part FROM held JOIN nodes USING (number)""",
            (wanted,),
        )
    }
    found: dict[str, tuple[Part, ...]] = {}
    for span, end in ends:
        parts: list[Part] = []
        node: int | None = end
        while node is not None:
            node, part = nodes[node]
            parts.append(part)
        found[span] = tuple(reversed(parts))
    return found


def drop_prompts(connection: sqlite3.Connection, spans: Iterable[str]) -> None:
    """Forget the prompts of `spans`, and the nodes that no other prompt goes through."""
    for span in spans:
        row = connection.execute("DELETE FROM prompts WHERE span = ? RETURNING node", (span,)).fetchone()
        node = None if row is None else row[0]
        while node is not None:
            row = connection.execute(
                """DELETE FROM nodes WHERE number = ?1
                AND NOT EXISTS (SELECT 1 FROM prompts WHERE node = ?1)
                AND NOT EXISTS (SELECT 1 FROM nodes AS later WHERE later.parent = ?1) RETURNING parent""",
                (node,),
            ).fetchone()
            node = None if row is None else row[0]
