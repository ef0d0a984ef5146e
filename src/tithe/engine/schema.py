"""Whether a JSON schema can be met at all by a value of finite size.

A grammar compiler takes `{"$ref": "#"}`, or an object that requires itself, without complaint, and then
forces brackets without end. Such a schema is found here, before it is compiled: a node is *finite*
when some finite value meets it, and what is finite is the least fixed point of

    $ref             finite when its target is
    allOf            finite when all are
    anyOf, oneOf     finite when one is
    object           finite when every required property is
    array            finite when it may be empty, or the items that it must have are
    anything else    finite

so a cycle that must be walked to its end is not, and one with a way out is. A schema that takes more
than ROUNDS passes over its nodes is left to the compiler.
"""

from typing import Any, cast

Schema = dict[str, Any]

ROUNDS = 64
"""Passes over the nodes: a chain of references against their order takes one each."""


def is_finite(schema: Schema) -> bool:
    """Whether some finite value can meet `schema`. References that point nowhere count as met."""
    unmet = _nodes(schema)
    finite: set[int] = set()
    for _ in range(ROUNDS):
        left: list[Schema] = []
        # The innermost first: what is found counts for those around it in the same pass.
        for node in reversed(unmet):
            if _is_met(node, schema, finite):
                finite.add(id(node))
            else:
                left.append(node)
        if id(schema) in finite:
            return True
        if len(left) == len(unmet):
            return False
        unmet = left[::-1]
    return True


def _nodes(root: Schema) -> list[Schema]:
    """Every object inside a schema: more than its subschemas, which does no harm."""
    nodes: list[Schema] = []
    open_: list[object] = [root]
    while open_:
        value = open_.pop()
        if isinstance(value, dict):
            node = cast(Schema, value)
            nodes.append(node)
            open_.extend(node.values())
        elif isinstance(value, list):
            open_.extend(cast(list[object], value))
    return nodes


def _is_met(node: Schema, root: Schema, finite: set[int]) -> bool:
    """Whether a node is finite, given those that are known to be."""

    def known(part: object) -> bool:
        return not isinstance(part, dict) or id(cast(Schema, part)) in finite

    target = _target(node.get("$ref"), root)
    if target is not None and not known(target):
        return False
    if not all(known(part) for part in _list(node.get("allOf"))):
        return False
    for choice in ("anyOf", "oneOf"):
        parts = _list(node.get(choice))
        if parts and not any(known(part) for part in parts):
            return False
    return _may_skip(node) or all(known(part) for part in _musts(node))


def _may_skip(node: Schema) -> bool:
    """Whether a value other than an object or an array may stand here."""
    if "enum" in node or "const" in node:
        return True
    kinds = node.get("type")
    if isinstance(kinds, str):
        return kinds not in ("object", "array")
    return bool(set(_list(kinds)) - {"object", "array"})


def _musts(node: Schema) -> list[object]:
    """The subschemas that a value of this node has to meet somewhere inside itself."""
    musts: list[object] = []
    properties = node.get("properties")
    if isinstance(properties, dict):
        named = cast(Schema, properties)
        musts += [
            named[name] for name in _list(node.get("required")) if isinstance(name, str) and name in named
        ]
    least = node.get("minItems")
    if isinstance(least, int) and least > 0:
        first = _list(node.get("prefixItems"))
        musts += first[:least]
        if least > len(first):
            musts.append(node.get("items"))
    return musts


def _target(reference: object, root: Schema) -> object | None:
    """What a reference inside the document (`#`, `#/$defs/x`) points at."""
    if not isinstance(reference, str) or not reference.startswith("#"):
        return None
    at: object = root
    for step in reference[1:].split("/")[1:]:
        key = step.replace("~1", "/").replace("~0", "~")
        if not isinstance(at, dict) or key not in at:
            return None
        at = cast(object, at[key])
    return at


def _list(value: object) -> list[object]:
    return cast(list[object], value) if isinstance(value, list) else []
