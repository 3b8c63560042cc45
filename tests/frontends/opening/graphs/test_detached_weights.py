from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphs_of_tensorflow_1 import placeholder
from onnxpress.errors import InvalidModel
from onnxpress_frontends.opening.graphs.detached_weights import LARGEST_CONSTANT, detach_constants
from onnxpress_frontends.opening.graphs.graphdef import open_graphdef


def graph_with(tf: Any, weight: Any) -> Any:
    with tf.Graph().as_default() as graph:
        tf.matmul(placeholder(tf, "x", None, weight.shape[0]), tf.constant(weight, name="weight"), name="y")
    return graph.as_graph_def()


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "int64"])
def test_big_constants_step_aside(tf: Any, dtype: str) -> None:
    import ml_dtypes

    kind = ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype
    weight = np.arange(100 * 100).reshape(100, 100).astype(kind)
    with tf.Graph().as_default() as built:
        tf.constant(weight, name="weight")
    graph, weights = detach_constants(built.as_graph_def(), "graph.pb")
    assert weights["weight"].dtype == weight.dtype
    np.testing.assert_array_equal(weights["weight"], weight)
    (node,) = graph.node
    assert node.op == "Const" and graph.ByteSize() < 500
    assert [dim.size for dim in node.attr["value"].tensor.tensor_shape.dim] == [100, 100]


def test_small_constants_stay(tf: Any) -> None:
    before = graph_with(tf, np.ones((LARGEST_CONSTANT // 4, 4), np.float32))
    graph, weights = detach_constants(before, "graph.pb")
    assert (graph, weights) == (before, {})


def test_one_value_for_all(tf: Any) -> None:
    before = graph_with(tf, np.full((100, 100), 0.5, np.float32))
    (node,) = (node for node in before.node if node.name == "weight")
    node.attr["value"].tensor.ClearField("tensor_content")
    node.attr["value"].tensor.float_val.append(0.5)
    _, weights = detach_constants(before, "graph.pb")
    np.testing.assert_array_equal(weights["weight"], np.full((100, 100), 0.5, np.float32))


def test_the_function_takes_them_as_arguments(tf: Any, agree: Any, tmp_path: Any) -> None:
    weight = np.random.default_rng(0).standard_normal((100, 100)).astype("float32")
    path = tmp_path / "graph.pb"
    path.write_bytes(graph_with(tf, weight).SerializeToString())
    function = open_graphdef(path, None, None)
    assert [tensor.name for tensor in function.function.inputs] == ["x:0", "weight:0"]
    np.testing.assert_array_equal(function.weights["weight:0"], weight)
    assert function.function.graph.as_graph_def().ByteSize() < 2000
    agree(path)


@pytest.mark.parametrize("change", ["shape", "values", "type"])
def test_a_constant_that_contradicts_itself(tf: Any, change: str) -> None:
    graph = graph_with(tf, np.random.default_rng(0).standard_normal((100, 100)).astype("float32"))
    (node,) = (node for node in graph.node if node.name == "weight")
    tensor = node.attr["value"].tensor
    if change == "shape":
        tensor.tensor_shape.dim[0].size = 2**40
    elif change == "values":
        tensor.tensor_content = tensor.tensor_content[:-2]
    else:
        tensor.dtype = 0
    with pytest.raises(InvalidModel, match=r"graph\.pb is corrupt: constant 'weight': "):
        detach_constants(graph, "graph.pb")
