"""Arithmetic against numpy, type by type, where C, Python and TensorFlow might differ."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

Agree = Callable[..., list[str]]
Emitted = Callable[[str], Callable[..., Any]]

INTEGERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
LATEST = '<ir_version: 10, opset_import: ["" : 28]>'


def of_two(node: str, kind: str) -> str:
    return f"{LATEST} agraph ({kind}[n] x, {kind}[n] y) => ({kind}[n] z) {{ z = {node} }}"


def numbers(kind: str) -> st.SearchStrategy[Any]:
    return arrays(kind, 8, elements=st.integers(int(np.iinfo(kind).min), int(np.iinfo(kind).max)))


def pairs(kind: str) -> st.SearchStrategy[tuple[Any, Any]]:
    """Dividends and divisors; not zero, and not minus one, whose quotient by the least number no type holds."""
    bad = [0, np.array(-1).astype(kind)]
    return st.tuples(numbers(kind), numbers(kind).map(lambda y: np.where(np.isin(y, bad), 1, y).astype(kind)))


def exact(kind: str, x: Any, y: Any, rule: Callable[[int, int], int]) -> Any:
    return np.array([rule(int(a), int(b)) for a, b in zip(x, y, strict=True)], kind)


def toward_zero(a: int, b: int) -> int:
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


@pytest.mark.parametrize("kind", INTEGERS)
def test_integers_are_divided_toward_zero_and_remainders_follow(emitted: Emitted, kind: str):
    divide, modulo = emitted(of_two("Div(x, y)", kind)), emitted(of_two("Mod(x, y)", kind))
    remainder = emitted(of_two("Mod<fmod = 1>(x, y)", kind))

    @given(pairs(kind))
    def check(pair: tuple[Any, Any]) -> None:
        np.testing.assert_array_equal(divide(*pair), exact(kind, *pair, toward_zero))
        np.testing.assert_array_equal(modulo(*pair), exact(kind, *pair, lambda a, b: a % b))
        np.testing.assert_array_equal(remainder(*pair), exact(kind, *pair, lambda a, b: a - toward_zero(a, b) * b))

    check()


@pytest.mark.parametrize("kind", ["float", "double", "float16"])
def test_remainders_of_fractions(emitted: Emitted, kind: str):
    dtype = {"float": np.float32, "double": np.float64, "float16": np.float16}[kind]
    floats = st.floats(-100, 100, width=16).map(dtype)
    modulo, remainder = emitted(of_two("Mod(x, y)", kind)), emitted(of_two("Mod<fmod = 1>(x, y)", kind))

    @given(arrays(dtype, 8, elements=floats), arrays(dtype, 8, elements=floats.filter(lambda y: abs(y) > 0.01)))
    def check(x: Any, y: Any) -> None:
        np.testing.assert_array_equal(modulo(x, y), np.mod(x, y))
        np.testing.assert_array_equal(remainder(x, y), np.fmod(x, y))

    check()


@pytest.mark.parametrize("kind", INTEGERS)
@pytest.mark.parametrize("direction", ["LEFT", "RIGHT"])
def test_bits_shifted_out_are_gone_and_the_sign_stays(emitted: Emitted, kind: str, direction: str):
    shift = emitted(of_two(f'BitShift<direction = "{direction}">(x, y)', kind))
    width = np.iinfo(kind).bits
    low = -3 if kind.startswith("i") else 0

    def expected(a: int, b: int) -> int:
        inside = 0 <= b < width
        if direction == "RIGHT":
            return a >> b if inside else (-1 if a < 0 else 0)
        moved = (a << b) % 2**width if inside else 0
        return moved - 2**width if kind.startswith("i") and moved >= 2 ** (width - 1) else moved

    @given(numbers(kind), arrays(kind, 8, elements=st.integers(low, width + 3)))
    def check(x: Any, y: Any) -> None:
        np.testing.assert_array_equal(shift(x, y), exact(kind, x, y, expected))

    check()


def test_powers_have_the_type_of_the_base(agree: Agree, emitted: Emitted):
    x = np.array([0.5, 1, 2, 3], np.float32)
    agree("agraph (float[n] x, int64[n] y) => (float[n] z) { z = Pow(x, y) }", {"x": x, "y": np.array([-1, 0, 3, 2])})
    agree(
        "agraph (int64[n] x, float[n] y) => (int64[n] z) { z = Pow(x, y) }",
        {"x": np.array([2, 4, 9, 3]), "y": np.array([3, 0.5, 0.5, 2], np.float32)},
    )
    power = emitted("agraph (int64[n] x, int64[n] y) => (int64[n] z) { z = Pow(x, y) }")
    result = power(np.array([3, -1, 2, 1, 3]), np.array([39, -3, -1, -5, 0]))
    np.testing.assert_array_equal(result, [3**39, -1, 0, 1, 1])
    squares = "agraph (int32[n] x) => (int32[n] z) { two = Constant<value = int64[1] {2}>() z = Pow(x, two) }"
    assert "SelectV2" not in agree(squares, {"x": np.array([-3, 5], np.int32)})


def test_any_number_of_operands(agree: Agree):
    feeds = {
        name: np.random.default_rng(ord(name)).normal(size=size).astype("f")
        for name, size in (("a", (2, 3)), ("b", (3,)), ("c", (2, 1)))
    }
    nodes = " ".join(f"{op.lower()} = {op}(a, b, c)" for op in ("Max", "Min", "Sum", "Mean"))
    outputs = ", ".join(f"float[2,3] {name}" for name in ("max", "min", "sum", "mean"))
    agree(f"agraph (float[2,3] a, float[3] b, float[2,1] c) => ({outputs}) {{ {nodes} }}", feeds)
    agree("agraph (float[2,3] a) => (float[2,3] y) { s = Sum(a) m = Mean(s) n = Max(m) y = Neg(n) }", {"a": feeds["a"]})


def test_a_constant_for_each_channel_behind_a_convolution_is_its_bias(agree_on_image: Agree, agree: Agree):
    kernel = f"k = Constant<value = float[2,6,1,1] {{{', '.join('1.' for _ in range(12))}}}>()"
    bias = "b = Constant<value = float[2,1,1] {1., 2.}>()"
    ops = agree_on_image(f"{kernel} {bias} v = Conv(c, k) w = Add(v, b) d = Relu(w)")
    assert [op for op in ops if op != "Const"] == ["Placeholder", "Conv2D", "BiasAdd", "Relu"]
    ops = agree_on_image(f"{kernel} v = Conv(c, k) b = Constant<value = float[1] {{2.}}>() d = Add(v, b)")
    assert "BiasAdd" not in ops
    narrow = "k = Constant<value = float[1,6,1,1] {1., 1., 1., 1., 1., 1.}>()"
    assert "BiasAdd" not in agree_on_image(f"{narrow} {bias} v = Conv(c, k) d = Add(b, v)")
    weight = "w = Constant<value = float[3,2] {1., 2., 3., 4., 5., 6.}>() b = Constant<value = float[2] {1., 2.}>()"
    ops = agree(
        f"agraph (float[n,3] x) => (float[n,2] y) {{ {weight} m = MatMul(x, w) y = Add(b, m) }}",
        {"x": np.ones((4, 3), np.float32)},
    )
    assert ops[-1] == "BiasAdd"


def test_signs_of_unsigned_integers(emitted: Emitted):
    x = np.array([0, 1, 2**64 - 1], np.uint64)
    text = "agraph (uint64[n] x) => (uint64[n] y) { %s }"
    np.testing.assert_array_equal(emitted(text % "y = Sign(x)")(x), [0, 1, 1])
    np.testing.assert_array_equal(emitted(text % "a = Abs(x) y = Sub(a, x)")(x), [0, 0, 0])


@pytest.mark.parametrize(("positive", "negative"), [(1, 1), (1, 0), (0, 1), (0, 0)])
def test_infinities_of_one_sign(agree: Agree, positive: int, negative: int):
    node = f"y = IsInf<detect_positive = {positive}, detect_negative = {negative}>(x)"
    agree(f"agraph (float[n] x) => (bool[n] y) {{ {node} }}", {"x": np.array([np.inf, -np.inf, np.nan, 1], "f")})
