from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from onnxpress.runtime import Session
from onnxpress.testing import model
from onnxpress_frontends.mapping.quantization_grids import stored
from onnxpress_frontends.tflite.integer_ends import use_integers

PAIR = """agraph (float[N,4] x) => (float[N,4] y)
    <float s = {0.5}, int8 z = {3}> { r = Relu(x) q = QuantizeLinear(r, s, z) y = DequantizeLinear(q, s, z) }"""
GRID = stored(0.5, 3, None, dtype="int8")


def operators(graph: ir.Model) -> list[str]:
    return [node.op_type for node in graph.graph]


def test_an_input_is_dequantised() -> None:
    graph = model("agraph (float[N,4] x) => (float[N,4] y) { y = Relu(x) }")
    use_integers(graph, {"x": GRID})
    assert operators(graph) == ["DequantizeLinear", "Relu"]
    (x,), (y,) = graph.graph.inputs, graph.graph.outputs
    assert (x.name, x.dtype, y.name, y.dtype) == ("x", ir.DataType.INT8, "y", ir.DataType.FLOAT)
    result = Session(graph).run({"x": np.array([[1, 3, 5, 127]], np.int8)})
    np.testing.assert_array_equal(result["y"], [[0, 0, 1, 62]])


def test_an_output_is_quantised() -> None:
    graph = model("agraph (float[N,4] x) => (float[N,4] y) { y = Relu(x) }")
    use_integers(graph, {"y": GRID})
    assert operators(graph) == ["Relu", "QuantizeLinear"]
    result = Session(graph).run({"x": np.array([[-1, 0.3, 1, 99]], np.float32)})
    assert (result["y"].dtype, result["y"].tolist()) == (np.int8, [[3, 4, 5, 127]])


def test_an_output_that_is_quantised_already_is_these_integers() -> None:
    graph = model(PAIR)
    use_integers(graph, {"y": GRID})
    assert operators(graph) == ["Relu", "QuantizeLinear"]
    assert [value.name for value in graph.graph.outputs] == ["y"]


@pytest.mark.parametrize("grid", [stored(0.25, 3, None, dtype="int8"), stored(0.5, 2, None, dtype="int8")])
def test_another_grid_is_no_reason_to_drop_a_pair(grid: object) -> None:
    graph = model(PAIR)
    use_integers(graph, {"y": grid})  # type: ignore[dict-item]
    assert operators(graph) == ["Relu", "QuantizeLinear", "DequantizeLinear", "QuantizeLinear"]


def test_an_input_that_is_the_output() -> None:
    graph = model("agraph (float[N,4] x) => (float[N,4] y) { y = Identity(x) }")
    use_integers(graph, {"x": GRID, "y": GRID})
    values = np.array([[-128, 0, 3, 127]], np.int8)
    np.testing.assert_array_equal(Session(graph).run({"x": values})["y"], values)


def test_sixteen_bits_raise_the_opset() -> None:
    graph = model("agraph (float[N,4] x) => (float[N,4] y) { y = Relu(x) }")
    use_integers(graph, {"x": stored(0.5, 0, None, dtype="int16")})
    assert graph.opset_imports[""] == 21
    np.testing.assert_array_equal(Session(graph).run({"x": np.array([[-4, 8, 0, 2]], np.int16)})["y"], [[0, 4, 0, 1]])
