"""Loops of TensorFlow 1's control flow: recurrent cells, and TensorArrays that are filled or read in other orders."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from onnxpress.errors import UnsupportedModel
from onnxpress.runtime import Session
from onnxpress_frontends.tensorflow_source import load

Convert = Callable[..., ir.Model]


@pytest.fixture(scope="module")
def v1(tf: Any) -> Iterator[Any]:
    """TensorFlow 1, whose loops are Enter, Switch, Merge, NextIteration and Exit."""
    tf.compat.v1.disable_control_flow_v2()
    yield tf.compat.v1
    tf.compat.v1.enable_control_flow_v2()


@pytest.fixture
def convert(tf: Any, v1: Any, tmp_path: Path) -> Convert:
    """Freeze what `build` makes of a placeholder, convert it, and compare with TensorFlow."""

    def run(build: Callable[[Any], list[Any]], *shape: int | None) -> ir.Model:
        with tf.Graph().as_default() as graph:
            outputs = build(v1.placeholder(tf.float32, shape, name="x"))
            names = [tf.identity(output, name=f"y{index}").op.name for index, output in enumerate(outputs)]
        path = tmp_path / "loop.pb"
        path.write_bytes(graph.as_graph_def().SerializeToString())
        model = load(path, outputs=names)
        for seed, size in enumerate((4, 7)):
            x = np.random.default_rng(seed).standard_normal([size if n is None else n for n in shape], np.float32)
            with v1.Session(graph=graph) as session:
                expected = session.run([f"{name}:0" for name in names], {"x:0": x})
            for actual, array in zip(Session(model).run({"x": x}).values(), expected, strict=True):
                np.testing.assert_allclose(actual, array, rtol=0, atol=1e-5 * np.abs(array).max())
        return model

    return run


def operators(model: ir.Model) -> Counter[str]:
    return Counter(node.op_type for node in model.graph.all_nodes())


def lstm(
    tf: Any, v1: Any, x: Any, *, leak: float = 0.0, write: Callable[[Any, Any], Any] = lambda step, steps: step
) -> list[Any]:
    """An LSTM of two units over time, batch, features; it forgets at first, as TensorFlow's own cell does."""
    generator = np.random.default_rng(0)
    kernel, bias = (tf.constant(generator.uniform(-1, 1, shape).astype("float32")) for shape in ((5, 8), (8,)))
    steps, zeros = tf.shape(x)[0], tf.zeros((tf.shape(x)[1], 2))
    rows, outputs = tf.TensorArray(tf.float32, steps).unstack(x), tf.TensorArray(tf.float32, steps)

    def step(time: Any, outputs: Any, h: Any, c: Any) -> Any:
        z = tf.nn.bias_add(tf.concat([rows.read(time), h], 1) @ kernel, bias)
        enter, new, forget, out = tf.split(z, 4, axis=1)
        c = tf.sigmoid(forget + 1.0) * c + tf.sigmoid(enter) * tf.tanh(new)
        result = tf.tanh(c) * tf.sigmoid(out)
        return (
            time + 1,
            outputs.write(write(time, steps), result),
            (1 - leak) * result + leak * h if leak else result,
            c,
        )

    shapes = tuple(map(tf.TensorShape, ((), None, (None, 2), (None, 2))))
    final = v1.while_loop(lambda time, *_: time < steps, step, (0, outputs, zeros, zeros), shapes)
    return [final[1].stack(), final[2]]


def test_an_lstm_cell_in_a_loop_is_an_lstm(tf: Any, v1: Any, convert: Convert) -> None:
    model = convert(lambda x: lstm(tf, v1, x), None, 3, 3)
    assert operators(model)["LSTM"] == 1
    assert operators(model)["Loop"] == 0


def test_a_cell_that_leaks_is_none(tf: Any, v1: Any, convert: Convert) -> None:
    model = convert(lambda x: lstm(tf, v1, x, leak=0.1), None, 3, 3)
    assert operators(model)["LSTM"] == 0
    assert operators(model)["Loop"] == 1


def test_loops_and_branches(tf: Any, v1: Any, convert: Convert) -> None:
    def build(x: Any) -> list[Any]:
        step = lambda i, a: (i + 1, v1.cond(tf.reduce_sum(a) > 0, lambda: tf.sin(a), lambda: a - 1.0))  # noqa: E731
        return [
            v1.while_loop(lambda i, _: i < 3, step, (0, x))[1],
            v1.while_loop(lambda a: tf.reduce_sum(tf.abs(a)) < 100, lambda a: a * a + 1.0, (x,)),
            tf.map_fn(lambda row: tf.tanh(row) * tf.reduce_sum(row), x),
            tf.scan(lambda a, row: a * 0.5 + row, x, initializer=tf.zeros(3)),
        ]

    assert operators(convert(build, 4, 3))["Loop"] == 4


def test_an_array_that_is_not_filled_in_order_is_refused(tf: Any, v1: Any, convert: Convert) -> None:
    with pytest.raises(
        UnsupportedModel,
        match=r"node 'while/TensorArrayWrite/TensorArrayWriteV3' writes elements of a TensorArray in an order that "
        r"ONNX cannot say; write its elements in the order of the steps, one a step",
    ):
        convert(lambda x: lstm(tf, v1, x, write=lambda step, steps: steps - 1 - step), None, 3, 3)


@pytest.mark.parametrize(("first", "wanted"), [(2, range(4)), (0, [3, 1])])
def test_an_array_that_is_not_all_of_the_steps_is_refused(
    tf: Any, v1: Any, convert: Convert, first: int, wanted: list[int]
) -> None:
    def build(x: Any) -> list[Any]:
        array = tf.TensorArray(tf.float32, 6, element_shape=(3,))
        step = lambda i, array: (i + 1, array.write(i - first, x[i] * 2))  # noqa: E731
        return [v1.while_loop(lambda i, _: i < 6, step, (first, array))[1].gather(list(wanted))]

    with pytest.raises(UnsupportedModel, match=r"elements of a TensorArray in an order that ONNX cannot say"):
        convert(build, 6, 3)
