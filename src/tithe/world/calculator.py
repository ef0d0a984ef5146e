"""Arithmetic on numbers, read from a syntax tree: nothing is ever executed."""

import ast
import operator
from collections.abc import Callable

_Number = int | float
_BINARY: dict[type[ast.operator], Callable[[_Number, _Number], _Number]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: lambda left, right: left / right,
    ast.FloorDiv: lambda left, right: left // right,
    ast.Mod: operator.mod,
}
_LIMIT = 10**12


def calculate(expression: str) -> str:
    """The value of an expression of numbers, + - * / // % and brackets, or what is wrong with it."""
    try:
        value = _value(ast.parse(expression.strip(), mode="eval").body)
    except ZeroDivisionError:
        return "Cannot divide by zero."
    except _NotArithmetic as error:
        return f"Cannot calculate {error}: write numbers, + - * / and brackets."
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return f"'{expression[:60]}' is not arithmetic: write numbers, + - * / and brackets."
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else str(round(value, 4))
    return str(value)


class _NotArithmetic(Exception):
    """A part of the expression is no number and no sum of numbers."""


def _value(node: ast.expr) -> _Number:
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        value = node.value
        assert isinstance(value, int | float)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        inner = _value(node.operand)
        value = -inner if isinstance(node.op, ast.USub) else inner
    elif isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
        value = _BINARY[type(node.op)](_value(node.left), _value(node.right))
    else:
        raise _NotArithmetic(f"'{ast.unparse(node)[:60]}'")
    # Also turns away nan and the infinities.
    if not abs(value) <= _LIMIT:
        raise _NotArithmetic("with numbers this large")
    return value
