"""Views are read as arrangements and written as few nodes."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibrated import graph, numbers
from onnxpress.runtime import Session
from onnxpress_plugins.layout.arrangement import Arrangement, essence
from onnxpress_plugins.layout.views import route, step, view
from plugins.layout.test_arrangement import arrangements, laid_out

READ = {
    "Transpose<perm = [2, 0, 1, 3]>(x)": (2, 0, 1, 3),
    "Transpose(x)": (3, 2, 1, 0),
    "Squeeze(x, i)": (0, 2, None),
    "Squeeze(x)": None,  # N may be one
    "Unsqueeze(x, i)": (0, None, None, 2, None),
    "Flatten<axis = 2>(x)": (0, 2),
    "Reshape(x, same)": (None, 0, 2),
    "Reshape(x, fewer)": None,
    "Reshape(x, other)": None,
    "Relu(x)": None,
}


@pytest.mark.parametrize("body", READ)
def test_read(body: str) -> None:
    shapes = {"same": np.array([1, -1, 8]), "fewer": np.array([2, 8]), "other": np.array([-1, 1, 4, 2])}
    made = graph(f"y = {body}", x="float[N,1,8,1] x", i=np.array([1]), **shapes)
    assert view(made.graph[0]) == READ[body]


def test_a_reshape_may_rename_one_open_size_but_not_two() -> None:
    one = graph("y = Reshape(x, s)", x="float[N,M,8] x", s=np.array([0, -1, 1, 8]))
    assert view(one.graph[0]) == (0, 1, None, 2)
    one.graph.outputs[0].shape = ir.Shape(["A", "M", 1, 8])
    assert view(one.graph[0]) == (0, 1, None, 2)
    one.graph.outputs[0].shape = ir.Shape(["A", "B", 1, 8])
    assert view(one.graph[0]) is None


@given(here=arrangements(), there=arrangements(), open_sizes=st.integers(0, 3))
def test_written(here: Arrangement, there: Arrangement, open_sizes: int) -> None:
    sizes = (2, 3, 4)
    shape = ir.Shape([f"D{axis}" if axis < open_sizes else size for axis, size in enumerate(sizes)])
    way = route(here, there, shape)
    assert way[-1] == there and len(way) <= 3
    numbers_here = laid_out(numbers(*sizes), here)
    current = ir.Value(name="v", type=ir.TensorType(ir.DataType.FLOAT), shape=ir.Shape(numbers_here.shape))
    built = ir.Graph([current], [], nodes=[], opset_imports={"": 17}, name="g")
    given_one = here
    for number, arrangement in enumerate(way):
        operator, parameter, value = step(given_one, arrangement, shape)
        assert (operator == "Transpose") == (essence(given_one) != essence(arrangement))
        operand = [] if operator == "Transpose" else [constant(built, f"c{number}", value)]
        attributes = {parameter: value} if operator == "Transpose" else {}
        built.append(ir.node(operator, [current, *operand], attributes, name=f"n{number}"))
        current, given_one = built[-1].outputs[0], arrangement
        current.name, current.type = f"v{number}", ir.TensorType(ir.DataType.FLOAT)
    built.outputs.append(current)
    result = Session(ir.Model(built, ir_version=10)).run({"v": numbers_here})[str(current.name)]
    np.testing.assert_array_equal(result, laid_out(numbers(*sizes), there))


def constant(owner: ir.Graph, name: str, value: list[int]) -> ir.Value:
    tensor = ir.tensor(np.array(value, np.int64), name=name)
    made = ir.Value(name=name, type=ir.TensorType(tensor.dtype), shape=tensor.shape, const_value=tensor)
    owner.register_initializer(made)
    return made


def test_open_sizes_that_all_change_places_take_two_nodes() -> None:
    shape = ir.Shape(["N", "H", "W"])
    assert route((None, 0, 1, 2), (0, 1, 2, None), shape) == ((0, 1, 2), (0, 1, 2, None))
    assert route((0, None, 1, 2), (0, 1, None, 2), shape) == ((0, 1, None, 2),)
    assert step((0, None, 1, 2), (0, 1, None, 2), shape) == ("Reshape", "shape", [0, -1, 1, 0])
