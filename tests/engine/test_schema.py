import pytest

from tithe.engine.schema import is_finite

NODE = {"type": "object", "properties": {"next": {"$ref": "#"}}, "required": ["next"]}
TREE = {
    "$ref": "#/$defs/tree",
    "$defs": {
        "tree": {
            "type": "object",
            "properties": {
                "name": {"type": "string"},
                "children": {"type": "array", "items": {"$ref": "#/$defs/tree"}},
            },
            "required": ["name", "children"],
        }
    },
}


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "string"},
        {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
        {**NODE, "required": []},
        {"type": ["object", "null"], "properties": {"next": {"$ref": "#"}}, "required": ["next"]},
        {
            "type": "object",
            "properties": {"next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}},
            "required": ["next"],
        },
        TREE,
        {"$ref": "#/$defs/none"},
        {"type": "array", "items": {"$ref": "#"}},
        {"enum": [1], "properties": {"a": {"$ref": "#"}}, "required": ["a"]},
    ],
)
def test_what_a_finite_value_can_meet(schema):
    assert is_finite(schema)


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        NODE,
        {**NODE, "properties": {"a": {"enum": [1, 2]}, "next": {"$ref": "#"}}, "required": ["a", "next"]},
        {"type": "array", "minItems": 1, "items": {"$ref": "#"}},
        {"type": "array", "minItems": 2, "prefixItems": [{"type": "null"}, {"$ref": "#"}]},
        {"anyOf": [{"$ref": "#"}, {"allOf": [{"type": "object"}, {"$ref": "#"}]}]},
        {
            "$ref": "#/$defs/a",
            "$defs": {
                "a": {"type": "object", "properties": {"b": {"$ref": "#/$defs/b"}}, "required": ["b"]},
                "b": {"type": "object", "properties": {"a": {"$ref": "#/$defs/a"}}, "required": ["a"]},
            },
        },
    ],
)
def test_what_none_can_meet(schema):
    assert not is_finite(schema)
