"""Which shapes are made of sizes."""

from __future__ import annotations

import pytest

from onnxpress.testing import model
from onnxpress_backends.tensorflow.call import Call
from onnxpress_backends.tensorflow.graphs.dtypes import DType
from onnxpress_backends.tensorflow.graphs.graph import Graph
from onnxpress_backends.tensorflow.layout.values import Value
from onnxpress_backends.tensorflow.lowering import Scope, Settings
from onnxpress_backends.tensorflow.shapes.measured_shapes import is_measured


@pytest.mark.parametrize(
    ("body", "measured"),
    [
        ("s = Shape(x)", True),
        ("a = Shape(x) s = Slice(a, one, two)", True),
        ("a = Shape(x) b = Gather(a, one) c = ReduceProd<keepdims = 1>(a) s = Concat<axis = 0>(b, two, c, rest)", True),
        ("a = Shape(x) b = Mul(a, two) c = Cast<to = 6>(b) s = Cast<to = 7>(c)", True),
        ("a = Shape(x) s = Concat<axis = 0>(a, zero)", False),
        ("a = Shape(x) s = Sub(a, two)", False),
        ("s = Identity(n)", False),
        ("a = Shape(x) s = Concat<axis = 0>(a, n)", False),
    ],
)
def test_shapes(body: str, measured: bool):
    constants = "int64[1] zero = {0}, int64[1] one = {1}, int64[1] two = {2}, int64[1] rest = {-1}"
    parsed = model(f"agraph (float[a,b] x, int64[1] n) => (int64[k] s) <{constants}> {{ {body} }}")
    scope = Scope(source=parsed.graph, graph=Graph(), settings=Settings(rules={}, opsets={"": 17}))
    for value in [*parsed.graph.inputs, *(output for node in parsed.graph for output in node.outputs)]:
        scope.values[value] = Value(graph=scope.graph, name=value.name or "", dtype=DType.INT64, shape=None)
    (shape,) = parsed.graph.outputs
    assert is_measured(Call(parsed.graph.node(-1), scope), shape) is measured
