"""Operators on constants against onnxruntime."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from onnxpress.runtime import Session
from onnxpress.testing import model
from onnxpress_frontends.mapping.recurrence.constant_arithmetic import columns, compute

X = np.arange(24, dtype=np.float32).reshape(4, 6)
LISTS = """<int64[2] begin = {0, 2}, int64[2] end = {9223372036854775807, 5}, int64[2] axes = {0, 1},
int64[2] ones = {1, 1}, int64[1] last = {-1}, int64[1] far = {-9223372036854775807}, int64[1] one = {1}>"""


def parsed(nodes: str, shape: str = "A, B") -> ir.Graph:
    return model(f"agraph (float[4, 6] x) => (float[{shape}] y) {LISTS} {{ {nodes} }}").graph


def constants(graph: ir.Graph) -> dict[str | None, Any]:
    return {name: value.const_value.numpy() for name, value in graph.initializers.items() if value.const_value}


@pytest.mark.parametrize(
    ("nodes", "shape"),
    [
        ("y = Add(x, x)", "A, B"),
        ("y = Sub(x, x)", "A, B"),
        ("y = Mul(x, x)", "A, B"),
        ("y = Neg(x)", "A, B"),
        ("t = Transpose<perm = [1, 0]>(x) y = MatMul(x, t)", "A, B"),
        ("y = Concat<axis = 1>(x, x)", "A, B"),
        ("y = Unsqueeze(x, last)", "A, B, C"),
        ("u = Unsqueeze(x, one) y = Squeeze(u, one)", "A, B"),
        ("y = Reshape(x, last)", "A"),
        ("y = Slice(x, begin, end, axes, ones)", "A, B"),
        ("y = Slice(x, last, far, one, last)", "A, B"),
        ("z, y = Split<axis = 1>(x)", "A, B"),
        ("z, y = Split<axis = 0>(x)", "A, B"),
    ],
)
def test_what_onnxruntime_computes(nodes: str, shape: str) -> None:
    graph = parsed(nodes, shape)
    known = {"x": X, **constants(graph)}
    for node in graph:
        operands = [None if value is None else known[value.name] for value in node.inputs]
        known |= {output.name: compute(node, operands, index) for index, output in enumerate(node.outputs)}
    expected = Session(ir.Model(graph, ir_version=10)).run({"x": X})["y"]
    np.testing.assert_array_equal(known["y"], expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("y = Slice(x, begin, end, axes)", (2, 5)),
        ("z, y = Split<axis = -1>(x)", (3, 6)),
        ("z, y = Split<axis = 0>(x)", None),
        ("y = Slice(x, ones, end, axes)", None),
        ("y = Slice(x, last, far, one, last)", None),
    ],
)
def test_which_features_are_cut_out(text: str, expected: tuple[int, int] | None) -> None:
    graph = parsed(text)
    (node,) = graph
    operands = [None, *(constants(graph)[value.name] for value in node.inputs[1:] if value is not None)]
    assert columns(node, operands, len(node.outputs) - 1, 6) == expected
