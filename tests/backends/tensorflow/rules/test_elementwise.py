"""One operator against its namesake: values, types, and layouts that nothing moves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

Agree = Callable[..., list[str]]

ANY = ["Abs", "Asinh", "Atan", "Ceil", "Cos", "Cosh", "Erf", "Exp", "Floor", "Identity", "Neg", "Relu", "Round"]
MORE = ["Sigmoid", "Sign", "Sin", "Sinh", "Softplus", "Softsign", "Tan", "Tanh"]
POSITIVE = ["Log", "Sqrt", "Reciprocal"]
UNIT = ["Acos", "Asin", "Atanh"]


def chorus(ops: list[str]) -> str:
    """One model with every operator on the same input."""
    outputs = ", ".join(f"float[n] {op.lower()}" for op in ops)
    return f"agraph (float[n] x) => ({outputs}) {{ {' '.join(f'{op.lower()} = {op}(x)' for op in ops)} }}"


def test_functions_of_one_element(agree: Agree):
    x = np.linspace(-4, 4, 33).astype(np.float32)
    agree(chorus(ANY + MORE), {"x": x})
    agree(chorus(POSITIVE), {"x": np.abs(x) + np.float32(0.1)})
    agree(chorus(UNIT), {"x": np.linspace(-0.9, 0.9, 9).astype(np.float32)})
    agree(chorus(["Acosh"]), {"x": np.linspace(1, 9, 9).astype(np.float32)})


@pytest.mark.parametrize("op", ["Exp", "Sin", "Tanh", "Sinh"])
def test_double_precision_stays(emitted: Callable[[str], Any], op: str):
    x = np.linspace(-4, 4, 33)
    result = emitted(f"agraph (double[n] x) => (double[n] y) {{ y = {op}(x) }}")(x)
    np.testing.assert_allclose(result, getattr(np, op.lower())(x), rtol=1e-13)


def test_halves_are_rounded_to_even(agree: Agree):
    agree("agraph (float[n] x) => (float[n] y) { y = Round(x) }", {"x": np.arange(-4.5, 5, 0.25, np.float32)})


def test_operands_are_broadcast_in_the_layout_of_the_image(agree_on_image: Agree):
    scale = "s = Constant<value = float[6,1,1] {1., 2., 3., 4., 5., 6.}>()"
    assert agree_on_image(f"{scale} d = Mul(c, s)").count("Mul") == 1
    agree_on_image(f"{scale} m = Sub(s, c) t = Tanh(m) d = Mul(t, c)")


def test_comparisons_logic_and_choice(agree: Agree):
    text = """agraph (float[2,3] x, float[3] y) => (float[a,b] z, bool[a,b] flags) {
        less = Less(x, y) greater = GreaterOrEqual(x, y) same = Equal(x, y)
        either = Or(less, same) both = And(either, greater) one = Xor(both, greater) flags = Not(one)
        z = Where(less, x, y) }"""
    x, y = np.arange(6, dtype=np.float32).reshape(2, 3), np.array([1, 1, 4], np.float32)
    agree(text, {"x": x, "y": y})


def test_bits(emitted: Callable[[str], Any]):
    x, y = np.array([12, -7, 100], np.int16), np.array([10, 3, -1], np.int16)
    text = "<ir_version: 10, opset_import: ['' : 18]> agraph (int16[n] x, int16[n] y) => (int16[n] z) { %s }"
    text = text.replace("'", '"')
    for op, expected in (("BitwiseAnd", x & y), ("BitwiseOr", x | y), ("BitwiseXor", x ^ y)):
        np.testing.assert_array_equal(emitted(text % f"z = {op}(x, y)")(x, y), expected)
    np.testing.assert_array_equal(emitted(text % "w = BitwiseNot(x) z = BitwiseAnd(w, y)")(x, y), ~x & y)
