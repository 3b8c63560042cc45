"""Which Transposes and Reshapes are written, and which are kept."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from calibrated import feeds, graph, numbers
from onnxpress.ranges import META_KEY, Range
from onnxpress.testing import apply, assert_equivalent
from onnxpress_plugins.layout.transpose_cancelling import CANCEL_TRANSPOSES

TO_LAST = "Transpose<perm = [0, 2, 3, 1]>"
TO_FIRST = "Transpose<perm = [0, 3, 1, 2]>"
CONV = {"w": numbers(4, 4, 1, 1)}


def cancelled(made: ir.Model) -> ir.Model:
    after, _ = apply(CANCEL_TRANSPOSES, made)
    assert_equivalent(made, after, feeds(made), rtol=1e-6, atol=1e-5)
    return after


def types(model: ir.Model) -> list[str]:
    return [node.op_type for node in model.graph]


def test_an_arrangement_is_transposed_once_and_then_reshaped() -> None:
    body = f"a = Conv(x, w) b = {TO_LAST}(a) c = MatMul(b, m) e = Unsqueeze(b, i) y = MatMul(e, m)"
    after = cancelled(graph(body, y="y, c", m=numbers(4, 4), i=np.array([1]), **CONV))
    assert types(after) == ["Conv", "Transpose", "MatMul", "Unsqueeze", "MatMul"]


def test_the_range_of_a_tensor_goes_with_it() -> None:
    made = graph(f"a = {TO_LAST}(x) b = GlobalAveragePool(a) c = {TO_FIRST}(b) y = MatMul(c, m)", m=numbers(1, 4))
    made.graph[1].outputs[0].meta[META_KEY] = Range(0.0, 3.0)
    after, _ = apply(CANCEL_TRANSPOSES, made)
    assert types(after) == ["Transpose", "GlobalAveragePool", "Reshape", "MatMul"]
    assert after.graph[2].outputs[0].meta[META_KEY] == Range(0.0, 3.0)


def test_one_that_is_there_serves_what_differs_in_axes_of_size_one() -> None:
    """Two of the three arrangements move the same axes, so there is one Transpose for both."""
    body = """a, b = Split<axis = 1>(x, parts) y = Transpose<perm = [2, 1, 0]>(b) z = Transpose<perm = [0, 2, 1]>(x)"""
    made = graph(body, x="float[1,3,3] x", y="a, y, z", parts=np.array([1, 2]))
    assert sum(kind == "Transpose" for kind in types(cancelled(made))) == 1


def test_a_detour_by_way_of_one_pixel_is_cut_short() -> None:
    body = "a = GlobalAveragePool(x) b = Flatten(a) c = Reshape(b, s) d = Reshape(c, t) y = Conv(d, w)"
    made = graph(f"{body} z = {TO_LAST}(x)", y="y, z", s=np.array([-1, 1, 1, 4]), t=np.array([-1, 4, 1, 1]), **CONV)
    assert types(cancelled(made)) == ["GlobalAveragePool", "Conv", "Transpose"]


def test_open_sizes_that_all_change_places_are_squeezed_and_unsqueezed() -> None:
    body = "a = Relu(x) b = Transpose<perm = [1, 2, 3, 0]>(a) c = Squeeze(b, i) d = Unsqueeze(c, j) y = MatMul(d, m)"
    made = graph(body, x="float[1,A,B,4] x", i=np.array([3]), j=np.array([2]), m=numbers(4, 4))
    assert types(cancelled(made)) == ["Relu", "Squeeze", "Unsqueeze", "MatMul"]
