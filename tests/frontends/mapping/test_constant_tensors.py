from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from onnxpress.errors import UnsupportedModel
from onnxpress_frontends.mapping.constant_tensors import Constants, hold

WEIGHT = np.array([1.0, 2, 3], np.float32)


@pytest.fixture
def graph(tf: Any) -> Any:
    """``fixed`` is made of a weight and a constant; the rest hang on an input, on chance or on a loop."""
    with tf.Graph().as_default() as made:
        x, weight = (tf.compat.v1.placeholder(tf.float32, (3,), name=name) for name in ("x", "weight"))
        tf.multiply(weight, tf.constant(2.0), name="fixed")
        tf.add(x, weight, name="fed")
        tf.add(tf.random.uniform((3,)), weight, name="random")
        tf.identity(tf.raw_ops.Enter(data=weight, frame_name="loop"), name="entered")
        tf.gather(weight, [7], name="impossible")
    return made.as_graph_def()


def test_what_no_input_decides_is_constant(graph: Any) -> None:
    constants = Constants(graph, {"weight": WEIGHT})
    known = ("fixed", "fixed:0", "weight", "fed", "random", "entered", "x")
    assert [tensor for tensor in known if tensor in constants] == ["fixed", "fixed:0", "weight"]


def test_a_placeholder_that_is_no_weight_is_an_input(graph: Any) -> None:
    assert "fixed" not in Constants(graph, {})


def test_tensorflow_computes_them(graph: Any) -> None:
    values = Constants(graph, {"weight": WEIGHT}).values(["fixed", "fixed:0", "weight"])
    for name, factor in (("fixed", 2), ("fixed:0", 2), ("weight", 1)):
        np.testing.assert_array_equal(values[name], factor * WEIGHT)


def test_what_tensorflow_cannot_compute_is_told(graph: Any) -> None:
    with pytest.raises(
        UnsupportedModel, match=r"^TensorFlow cannot compute 'impossible': .*; correct the model, or cut"
    ):
        Constants(graph, {"weight": WEIGHT}).values(["impossible"])


def test_a_held_value_becomes_a_weight_under_a_name_of_its_own(graph: Any) -> None:
    weights = {"weight": WEIGHT}
    fed = next(node for node in graph.node if node.name == "fed")
    for _ in range(2):
        hold(graph, fed, np.ones((3,), np.float32), weights)
    assert list(weights) == ["weight", "fed/value", "fed/value_1"]
    assert fed.input[0] == "fed/value_1"
