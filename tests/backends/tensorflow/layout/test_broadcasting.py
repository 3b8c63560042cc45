"""Operands in one layout: split axes, and constants with axes of size 1 in front."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from calibrated import feeds, graph, numbers

Agree = Callable[..., list[str]]


@pytest.mark.parametrize("op", ["Add", "Sub", "Max"])
def test_axes_that_are_split_differently_meet_in_the_order_of_onnx(agree: Agree, op: str) -> None:
    body = f"a = Conv(x, k) b = Flatten(a) c = Conv<strides = [2, 1]>(x, wide) d = Flatten(c) y = {op}(b, d)"
    model = graph(body, x="float[2,4,4,4] x", k=numbers(4, 4, 1, 1), wide=numbers(8, 4, 1, 1))
    agree(model, feeds(model), atol=1e-5)


def test_a_split_axis_meets_one_that_lies_as_onnx_says(agree: Agree) -> None:
    body = "a = Conv(x, k) b = Flatten(a) c = Relu(z) y = Add(b, c) w = Add(c, b)"
    inputs = "float[N,4,4,4] x, float[N,64] z"
    model = graph(body, x=inputs, y="float[N,64] y, float[N,64] w", k=numbers(4, 4, 1, 1))
    agree(model, feeds(model), atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (1, 1, 4, 1), (1, 1, 4, 4), (1, 1, 1, 4), (1, 4, 1, 1)])
def test_a_constant_behind_a_bias(agree: Agree, shape: tuple[int, ...]) -> None:
    """TensorFlow's optimiser takes a constant of four axes, the last of size 1, for a part of the bias, and fails."""
    constants = {"k": numbers(4, 4, 1, 1), "b": numbers(4), "c": numbers(*shape)}
    model = graph("a = Conv(x, k, b) y = Add(a, c)", x="float[N,4,4,4] x", **constants)
    agree(model, feeds(model), atol=1e-5)


def test_a_constant_of_more_axes_keeps_them(agree: Agree) -> None:
    model = graph("y = Mul(x, c)", x="float[N,4] x", c=numbers(1, 1, 1, 4))
    agree(model, feeds(model))


def test_a_constant_is_joined_as_it_is(agree: Agree) -> None:
    body = "a = Conv(x, k) y = Concat<axis = 2>(a, c)"
    model = graph(body, x="float[1,4,4,4] x", k=numbers(4, 4, 1, 1), c=numbers(1, 4, 2, 4))
    agree(model, feeds(model), atol=1e-5)
