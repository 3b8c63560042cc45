"""Reductions by axes that are known, computed or missing, in any layout, of sets that are empty."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from onnxpress.testing import model

Agree = Callable[..., list[str]]
Emitted = Callable[[str], Callable[..., Any]]

OPS = ["L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "Sum", "SumSquare"]
X = np.random.default_rng(0).uniform(0.5, 2, (2, 3, 4)).astype(np.float32)


def of_all(attributes: str, shape: str, axes: str = "", opset: int = 18) -> ir.Model:
    """Every reduction of one input; `axes` is a list that is a constant input."""
    header = f'<ir_version: 10, opset_import: ["" : {opset}]>'
    constant = f"axes = Constant<value_ints = [{axes}]>()" if axes else ""
    inputs = "x, axes" if axes else "x"
    outputs = ", ".join(f"float[{shape}] {op.lower()}" for op in OPS)
    calls = " ".join(f"{op.lower()} = Reduce{op}<{attributes}>({inputs})" for op in OPS)
    return model(f"{header} agraph (float[2,3,4] x) => ({outputs}) {{ {constant} {calls} }}")


@pytest.mark.parametrize(("keep", "shape"), [(1, "2,1,1"), (0, "2")])
def test_over_axes(agree: Agree, keep: int, shape: str):
    agree(of_all(f"keepdims = {keep}", shape, axes="1, -1"), {"x": X})


@pytest.mark.parametrize(("keep", "shape"), [(1, "1,1,1"), (0, "")])
def test_over_all_axes(agree: Agree, keep: int, shape: str):
    agree(of_all(f"keepdims = {keep}", shape), {"x": X})


def test_over_no_axes_squares_and_logarithms_still_happen(emitted: Emitted):
    header = '<ir_version: 10, opset_import: ["" : 18]>'
    for op, expected in (("Sum", X), ("SumSquare", X * X), ("LogSum", np.log(X)), ("L1", X)):
        text = f"{header} agraph (float[2,3,4] x) => (float[2,3,4] y) {{ y = Reduce{op}<noop_with_empty_axes = 1>(x) }}"
        np.testing.assert_allclose(emitted(text)(X), expected, rtol=1e-6)


def test_axes_are_attributes_in_old_opsets(agree: Agree):
    header = '<ir_version: 10, opset_import: ["" : 11]>'
    calls = " ".join(f"{op.lower()} = Reduce{op}<axes = [0, -1], keepdims = 0>(x)" for op in OPS)
    outputs = ", ".join(f"float[3] {op.lower()}" for op in OPS)
    agree(f"{header} agraph (float[2,3,4] x) => ({outputs}) {{ {calls} }}", {"x": X})


@pytest.mark.parametrize("axes", [[-1, 0], [1], []])
@pytest.mark.parametrize("noop", [0, 1])
def test_axes_that_are_computed(emitted: Emitted, axes: list[int], noop: int):
    header = '<ir_version: 10, opset_import: ["" : 18]>'
    node = f"y = ReduceMax<keepdims = 0, noop_with_empty_axes = {noop}>(x, axes)"
    reduce = emitted(f"{header} agraph (float[2,3,4] x, int64[n] axes) => (float[] y) {{ {node} }}")
    expected = X if noop and not axes else X.max(axis=tuple(axes) or None)
    np.testing.assert_array_equal(reduce(X, np.array(axes, np.int64)), expected)


@pytest.mark.parametrize("op", ["Max", "Mean", "L2", "LogSumExp"])
def test_nothing_moves(agree_on_image: Agree, op: str):
    agree_on_image(f"m = Reduce{op}<axes = [2, 3]>(c) d = Add(c, m)")
    one = "one = Constant<value_ints = [1]>()"
    agree_on_image(f"{one} m = Reduce{op}<axes = [1], keepdims = 0>(c) u = Unsqueeze(m, one) d = Mul(c, u)")


def test_a_flattened_image_is_summed_as_it_lies(agree: Agree):
    text = """agraph (float[2,4,5,6] x) => (float[2,1] y) {
        c = Transpose<perm = [0, 3, 1, 2]>(x) r = Relu(c) f = Flatten(r) y = ReduceMean<axes = [1]>(f) }"""
    x = np.random.default_rng(1).standard_normal((2, 4, 5, 6)).astype(np.float32)
    assert "Transpose" not in agree(text, {"x": x})


@pytest.mark.parametrize("kind", ["int8", "uint8", "int32", "bool"])
def test_extremes_of_nothing(emitted: Emitted, kind: str):
    header = '<ir_version: 10, opset_import: ["" : 20]>'
    for op, end in (("Max", "min"), ("Min", "max")):
        text = (
            f"{header} agraph ({kind}[2,n] x) => ({kind}[2] y) "
            f"{{ one = Constant<value_ints = [1]>() y = Reduce{op}<keepdims = 0>(x, one) }}"
        )
        expected = op == "Min" if kind == "bool" else getattr(np.iinfo(kind), end)
        np.testing.assert_array_equal(emitted(text)(np.zeros((2, 0), kind)), [expected] * 2)


def test_infinite_elements_of_a_log_sum_exp(emitted: Emitted):
    reduce = emitted("agraph (float[a,b] x) => (float[a] y) { y = ReduceLogSumExp<axes = [1], keepdims = 0>(x) }")
    x = np.array([[1, -np.inf], [np.inf, 1], [-np.inf, -np.inf], [100, 100]], np.float32)
    np.testing.assert_allclose(reduce(x), [1, np.inf, -np.inf, 100 + np.log(2)], rtol=1e-6)


def test_lengths_of_integers_are_cut_off(agree: Agree):
    text = "agraph (int32[2,3] x) => (int32[2] y) { y = ReduceL2<axes = [1], keepdims = 0>(x) }"
    agree(text, {"x": np.array([[1, 2, 2], [1, 1, 1]], np.int32)})


def test_of_an_unknown_rank(agree: Agree):
    header = '<ir_version: 10, opset_import: ["" : 17]>'
    for node in ("ReduceMax(x)", "ReduceMean<axes = [-1], keepdims = 0>(x)", "ReduceL2<axes = [0, 1]>(x)"):
        agree(f"{header} agraph (float[] x) => (float[] y) {{ y = {node} }}", {"x": X})
