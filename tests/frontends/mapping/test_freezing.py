from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from onnxpress.errors import InvalidModel, UnsupportedModel
from onnxpress_frontends.mapping.freezing import Frozen, freeze
from onnxpress_frontends.opening.functions import trace


class _Model:
    """Variables that a traced function may capture."""

    def __init__(self, tf: Any) -> None:
        self.kernel = tf.Variable(tf.reshape(tf.range(12.0), (3, 4)) - 5, name="kernel")
        self.bias = tf.Variable(tf.range(4.0), name="bias")
        self.counter = tf.Variable(1.0, name="counter")


@pytest.fixture
def model(tf: Any) -> _Model:
    return _Model(tf)


def freeze_function(tf: Any, function: Any) -> tuple[Frozen, Any]:
    traced = tf.function(function, input_signature=[tf.TensorSpec((None, 3), name="x")])
    return freeze(trace(traced)), traced


def ops(frozen: Frozen) -> set[str]:
    nodes = [*frozen.graph.node, *(node for function in frozen.graph.library.function for node in function.node_def)]
    return {node.op for node in nodes}


def check(tf: Any, function: Any) -> Frozen:
    """Freeze, and assert that TensorFlow gives the same numbers for the graph as for the function."""
    frozen, traced = freeze_function(tf, function)
    x = np.linspace(-1, 1, 6, dtype=np.float32).reshape(2, 3)
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(frozen.graph, name="")
        feeds = {frozen.inputs[0]: x} | {f"{name}:0": array for name, array in frozen.weights.items()}
        with tf.compat.v1.Session(graph=graph) as session:
            actual = session.run(frozen.outputs, feeds)
    expected = tf.nest.flatten(traced(tf.constant(x)))
    for one, other in zip(actual, expected, strict=True):
        np.testing.assert_array_equal(one, other)
    return frozen


def test_a_variable_becomes_a_placeholder_and_its_value(tf: Any, model: _Model) -> None:
    frozen = check(tf, lambda x: x @ model.kernel + model.bias)
    assert sorted(array.shape for array in frozen.weights.values()) == [(3, 4), (4,)]
    assert "ReadVariableOp" not in ops(frozen)


def test_values_are_not_copied_and_do_not_follow_the_variable(tf: Any, model: _Model) -> None:
    frozen, _ = freeze_function(tf, lambda x: x @ model.kernel)
    (array,) = frozen.weights.values()
    before = array.copy()
    model.kernel.assign_add(model.kernel)
    model.kernel.scatter_nd_update([[0, 0]], [99.0])
    np.testing.assert_array_equal(array, before)
    assert not array.flags.writeable


def test_functions_that_take_a_variable_take_its_tensor(tf: Any, model: _Model) -> None:
    inner = tf.function(lambda x: x @ model.kernel)
    outer = tf.function(lambda x: inner(x) + inner(2 * x) + model.bias)
    assert "ReadVariableOp" not in ops(check(tf, lambda x: outer(x) * 2))


def test_loops_and_conditions_that_read_variables(tf: Any, model: _Model) -> None:
    def function(x: Any) -> Any:
        y = tf.while_loop(
            lambda i, y: i < 3, lambda i, y: (i + 1, y + model.bias * model.counter), (0, x @ model.kernel)
        )[1]
        return tf.cond(tf.reduce_sum(x) > 0, lambda: y + model.bias, lambda: y - model.kernel[0])

    used = ops(check(tf, function))
    assert used & {"While", "StatelessWhile"} and used & {"If", "StatelessIf"}
    assert "ReadVariableOp" not in used


def test_gathering_from_a_variable(tf: Any, model: _Model) -> None:
    def function(x: Any) -> Any:
        rows = tf.cast(tf.abs(x[:, 0]), tf.int32)
        whole = tf.cast(tf.shape(model.kernel.read_value()), tf.float32)[0]
        return tf.gather(model.kernel, rows) + tf.gather_nd(model.bias, rows[:, None])[:, None] + whole

    assert ops(check(tf, function)) >= {"GatherV2", "GatherNd"}


def test_a_gather_inside_a_function(tf: Any, model: _Model) -> None:
    inner = tf.function(lambda rows: tf.gather(model.kernel, rows))
    check(tf, lambda x: inner(tf.cast(tf.abs(x[:, 0]), tf.int32)))


def test_tensors_that_are_captured_are_weights_too(tf: Any) -> None:
    captured = tf.constant([[1.0, 2.0, 3.0]])
    frozen = check(tf, lambda x: x * captured)
    assert [array.tolist() for array in frozen.weights.values()] == [[[1.0, 2.0, 3.0]]]


def test_an_update_after_the_read_is_dropped(tf: Any, model: _Model) -> None:
    def function(x: Any) -> Any:
        y = x @ model.kernel * model.counter
        model.counter.assign_add(1.0)
        return y

    inner = tf.function(function)
    for each in (function, lambda x: inner(x) + 1):
        frozen, _ = freeze_function(tf, each)
        assert "AssignAddVariableOp" not in ops(frozen)
        (warning,) = frozen.warnings
        assert warning.startswith("the model keeps state from run to run (it changes variable ")


def test_a_counter_that_nothing_reads_is_no_state(tf: Any, model: _Model) -> None:
    def function(x: Any) -> Any:
        model.counter.assign_add(1.0)
        return x @ model.kernel

    assert freeze_function(tf, function)[0].warnings == []


def test_an_update_before_the_read_is_refused(tf: Any, model: _Model) -> None:
    def function(x: Any) -> Any:
        model.counter.assign_add(1.0)
        return x * model.counter

    with pytest.raises(UnsupportedModel, match=r"changes variable .* before it reads it"):
        freeze_function(tf, function)
    inner = tf.function(function)
    with pytest.raises(UnsupportedModel, match=r"changes variable .* before it reads it"):
        freeze_function(tf, lambda x: inner(x) + 1)


def test_an_operator_that_only_a_variable_has_is_refused(tf: Any, model: _Model) -> None:
    steps = tf.Variable(0)
    with pytest.raises(UnsupportedModel, match=r"ResourceCountUpTo .* uses a variable as only TensorFlow can"):
        freeze_function(
            tf,
            lambda x: x + tf.cast(tf.raw_ops.ResourceCountUpTo(resource=steps.handle, limit=3, T=tf.int32), tf.float32),
        )


def test_a_variable_without_value_is_named(tf: Any) -> None:
    from tensorflow.python.ops.resource_variable_ops import UninitializedVariable

    variable = UninitializedVariable(shape=(3,), dtype=tf.float32)
    with pytest.raises(InvalidModel, match="has no value; initialise or restore it first"):
        freeze_function(tf, lambda x: x + variable)
