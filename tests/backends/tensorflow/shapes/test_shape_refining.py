"""Shapes that follow from what was folded."""

from __future__ import annotations

from collections.abc import Callable

import onnx_ir as ir
import pytest

from one_node import normal
from onnxpress.errors import UnsupportedModel
from onnxpress.testing import model
from onnxpress_backends.tensorflow.call import Call, shape_of
from onnxpress_backends.tensorflow.graphs.dtypes import DType
from onnxpress_backends.tensorflow.graphs.graph import Graph, Tensor
from onnxpress_backends.tensorflow.layout.values import Laid
from onnxpress_backends.tensorflow.lowering import Scope, Settings
from onnxpress_backends.tensorflow.shapes.shape_refining import refine

Agree = Callable[..., list[str]]


def refined(text: str) -> tuple[int | None, ...] | None:
    """What is known of the first output of the last node of a graph, when all before it are constants."""
    parsed = model(text)
    node = list(parsed.graph)[-1]
    node.outputs[0].shape = None
    refine(Call(node, scope(parsed)))
    return shape_of(node.outputs[0])


def scope(parsed: ir.Model) -> Scope:
    found = Scope(source=parsed.graph, graph=Graph(), settings=Settings(rules={}, opsets={"": 17}))
    for value in parsed.graph.inputs:
        placeholder = found.graph.add("Placeholder", dtype=DType.FLOAT, shape=shape_of(value))
        found.define(value, Laid(Tensor(placeholder), None))
    return found


def test_a_constant_tells_the_shape():
    assert refined("agraph (float[2,6] x) => (float[a,b] y) <int64[2] s = {3, -1}> { y = Reshape(x, s) }") == (3, 4)
    assert refined("agraph (float[2,6] x) => (float[a,b] y) <int64[2] s = {2, 2}> { y = Tile(x, s) }") == (4, 12)


def test_what_is_not_known_stays_unknown():
    assert refined("agraph (float[n,6] x) => (float[a,b] y) <int64[2] s = {2, 2}> { y = Tile(x, s) }") == (None, 12)
    assert refined("agraph (float[2,6] x, int64[2] s) => (float[a,b] y) { y = Tile(x, s) }") == (None, None)


def test_sizes_that_are_known_are_kept():
    parsed = model("agraph (float[2,6] x) => (float[a,b] y) <int64[2] s = {2, 2}> { y = Tile(x, s) }")
    node = list(parsed.graph)[-1]
    node.outputs[0].shape = ir.Shape([4, None])
    refine(Call(node, scope(parsed)))
    assert shape_of(node.outputs[0]) == (4, 12)


def test_a_chain_of_computed_shapes(agree: Agree):
    text = """agraph (float[2,6,4] x) => (float[2,4] y) {
        s = Shape(x) i = Constant<value_int = 1>() n = Gather(s, i) d = Div(n, n) h = Sub(n, d) e = Add(h, d)
        axes = Constant<value_ints = [0]>() starts = Unsqueeze(h, axes) ends = Unsqueeze(e, axes)
        one = Constant<value_ints = [1]>() c = Slice(x, starts, ends, one) r = Squeeze(c, one) y = Neg(r) }"""
    assert agree(text, {"x": normal(2, 6, 4)}).count("StridedSlice") == 1


def test_a_node_that_contradicts_its_inputs_is_named():
    parsed = model("agraph (float[2,6] x, float[6,3] w) => (float[a,b] y) { y = MatMul(x, w) }")
    node = list(parsed.graph)[-1]
    node.name, node.outputs[0].shape = "turn", None
    found = scope(parsed)
    found.value(parsed.graph.inputs[0]).shape = (2, 7)
    with pytest.raises(UnsupportedModel, match=r"node 'turn' \(MatMul\) contradicts its inputs: "):
        refine(Call(node, found))
