"""Arithmetic, and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tithe.world.calculator import calculate


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("2 * 3 + 4", "10"),
        ("-(2 - 5)", "3"),
        ("7 // 2 + 7 % 2", "4"),
        ("6 / 3", "2"),
        ("10 / 4", "2.5"),
        ("1 / 3", "0.3333"),
        (" 12 ", "12"),
    ],
)
def test_values(expression: str, value: str) -> None:
    assert calculate(expression) == value


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "1 +",
        "pears + 2",
        "__import__('os')",
        "2 ** 9",
        "True + 1",
        "'a' * 3",
        "1 / 0",
        "9e99 * 9",
        "1e999",
        "(" * 200,
        "\0",
    ],
)
def test_what_is_no_arithmetic_is_told_so(expression: str) -> None:
    assert not calculate(expression).replace(".", "").isdigit()


@given(st.text(alphabet="0123456789+-*/%(). e", max_size=40) | st.text(max_size=40))
def test_never_raises(expression: str) -> None:
    assert calculate(expression)
