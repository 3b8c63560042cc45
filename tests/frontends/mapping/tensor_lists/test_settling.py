"""Loops over TensorArrays: collected, made tensors, or refused, and always TensorFlow's numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from onnxpress.errors import UnsupportedModel
from onnxpress_frontends.tensorflow_source import load

Loops = dict[str, Callable[[Any], Any]]


def loops(tf: Any) -> Loops:
    """What becomes of 9 rows of 3, by name."""

    def over(body: Callable[..., Any], *, start: int = 0, stop: int = 9, size: int = 9, **options: Any) -> Any:
        array = tf.TensorArray(tf.float32, size=size, element_shape=(3,), clear_after_read=False, **options)
        return tf.while_loop(lambda i, _: i < stop, body, (start, array))[1]

    def sometimes(x: Any) -> Any:
        def body(i: Any, array: Any) -> Any:
            return i + 1, tf.cond(tf.reduce_sum(x[i]) > 0, lambda: array.write(i, x[i]), lambda: array)

        return over(body).stack()

    def swapped(x: Any) -> Any:
        arrays = [tf.TensorArray(tf.float32, size=9, element_shape=(3,)) for _ in range(2)]
        body = lambda i, a, b: (i + 1, b.write(i, x[i] * 2), a.write(i, x[i] - 1))  # noqa: E731
        _, a, b = tf.while_loop(lambda i, *_: i < 9, body, (0, *arrays))
        return a.stack() - 3 * b.stack()

    def running(x: Any) -> Any:
        array = tf.TensorArray(tf.float32, size=9, element_shape=(3,), clear_after_read=False).unstack(x)
        body = lambda i, a: (i + 1, a.write(i + 1, a.read(i) + x[i]))  # noqa: E731
        return tf.while_loop(lambda i, _: i < 8, body, (0, array))[1].stack()

    def nested(x: Any) -> Any:
        def row(i: Any) -> Any:
            array = tf.TensorArray(tf.float32, size=3, element_shape=())
            return tf.while_loop(lambda j, _: j < 3, lambda j, a: (j + 1, a.write(2 - j, x[i, j])), (0, array))[1]

        return over(lambda i, a: (i + 1, a.write(i, row(i).stack()))).stack()

    return {
        "in order": lambda x: over(lambda i, a: (i + 1, a.write(i, x[i] * 2))).stack(),
        "growing": lambda x: over(lambda i, a: (i + 1, a.write(i, x[i])), size=0, dynamic_size=True).stack(),
        "read afterwards": lambda x: over(lambda i, a: (i + 1, a.write(i, x[i] * 2))).read(3),
        "gathered afterwards": lambda x: over(lambda i, a: (i + 1, a.write(i, x[i] * 2))).gather([3, 1]),
        "last": lambda x: over(lambda i, a: (i + 1, a.write(0, x[i])), size=1).stack() * 2,
        "from the end": lambda x: over(lambda i, a: (i + 1, a.write(8 - i, x[i]))).stack(),
        "rotated": lambda x: over(lambda i, a: (i + 1, a.write((i + 1) % 9, x[i]))).stack(),
        "from the third": lambda x: over(lambda i, a: (i + 1, a.write(i, x[i])), start=2).stack(),
        "not to the end": lambda x: over(lambda i, a: (i + 1, a.write(i, x[i])), stop=4).stack(),
        "every second": lambda x: over(lambda i, a: (i + 2, a.write(i, x[i]))).stack(),
        "two at a time": lambda x: over(lambda i, a: (i + 2, a.write(i, x[i]).write(i + 1, x[i])), stop=8).stack(),
        "sometimes": sometimes,
        "swapped": swapped,
        "running": running,
        "nested": nested,
        "scan": lambda x: tf.scan(lambda a, r: a * 0.5 + r, x),
        "scan backwards": lambda x: tf.scan(lambda a, r: a * 0.5 + r, x, reverse=True),
        "map": lambda x: tf.map_fn(lambda r: tf.tanh(r) * tf.reduce_sum(r), x),
        "backwards": lambda x: tf.map_fn(lambda i: x[8 - i] * 2, tf.range(9), fn_output_signature=tf.float32),
    }


COLLECTED = ("in order", "growing", "read afterwards", "last", "map", "backwards")


def test_every_way_to_fill_an_array(tf: Any, agree: Callable[..., Any]) -> None:
    ways = loops(tf)

    @tf.function(input_signature=[tf.TensorSpec((9, 3), name="x")])
    def everything(x: Any) -> Any:
        return {name.replace(" ", "_"): way(x) for name, way in ways.items()}

    operators = Counter(node.op_type for node in agree(everything).graph.all_nodes())
    assert operators["ScatterND"] >= len(ways) - len(COLLECTED)


@pytest.mark.parametrize("way", COLLECTED)
def test_what_is_collected_is_not_copied_at_each_step(tf: Any, agree: Callable[..., Any], way: str) -> None:
    function = tf.function(loops(tf)[way], input_signature=[tf.TensorSpec((9, 3), name="x")])
    assert not any(node.op_type == "ScatterND" for node in agree(function).graph.all_nodes())


def test_rows_of_unknown_number(tf: Any, agree: Callable[..., Any]) -> None:
    @tf.function(input_signature=[tf.TensorSpec((None, 3), name="x")])
    def function(x: Any) -> Any:
        count = tf.shape(x)[0]
        arrays = [tf.TensorArray(tf.float32, size=count, element_shape=(3,)) for _ in range(2)]
        body = lambda i, a, b: (i + 1, a.write(i, x[i] * 2), b.write(count - 1 - i, x[i]))  # noqa: E731
        _, a, b = tf.while_loop(lambda i, *_: i < count, body, (0, *arrays))
        return {"forwards": a.stack(), "backwards": b.stack(), "sums": tf.scan(lambda s, r: s + r, x)}

    agree(function)


def test_elements_of_unknown_shape_out_of_order_are_refused(tf: Any) -> None:
    @tf.function(input_signature=[tf.TensorSpec((None, None, 3), name="x")])
    def function(x: Any) -> Any:
        count = tf.shape(x)[0]
        array = tf.TensorArray(tf.float32, size=count, element_shape=(None, 3))
        return tf.while_loop(lambda i, _: i < count, lambda i, a: (i + 1, a.write(count - 1 - i, x[i])), (0, array))[
            1
        ].stack()

    with pytest.raises(
        UnsupportedModel,
        match="TensorArray 'TensorArrayV2' has no form in ONNX: the shape of its elements is not known; "
        "give it an element_shape without unknown sizes, or write one element at each step, in the order of the steps",
    ):
        load(function)


def test_a_loop_without_a_counter_is_refused(tf: Any) -> None:
    types = [tf.TensorSpec((), tf.int32), tf.TensorSpec((), tf.int32), tf.TensorSpec((3,))]
    less = tf.function(lambda a, b, x: a < b, input_signature=types).get_concrete_function()
    double = tf.function(lambda a, b, x: (a + 2, b, x * 2), input_signature=types).get_concrete_function()

    @tf.function(input_signature=[tf.TensorSpec((3,), name="x")])
    def function(x: Any) -> Any:
        return tf.raw_ops.StatelessWhile(input=[tf.constant(1), tf.constant(8), x], cond=less, body=double)[2]

    with pytest.raises(UnsupportedModel, match="loop 'StatelessWhile' does not count its steps"):
        load(function)


def lowered(tf: Any, function: Callable[[Any], Any]) -> tuple[Any, list[str]]:
    """What TensorFlow's freezer makes of a function of 9 rows of 3, and the names of the outputs."""
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    concrete = tf.function(function, input_signature=[tf.TensorSpec((9, 3), name="x")]).get_concrete_function()
    frozen = convert_variables_to_constants_v2(concrete, lower_control_flow=True)
    return frozen.graph.as_graph_def(), [tensor.op.name for tensor in frozen.outputs]


def test_every_way_in_loops_that_were_lowered(tf: Any, agree: Callable[..., Any], tmp_path: Path) -> None:
    ways = loops(tf)
    graph, outputs = lowered(tf, lambda x: [way(x) for way in ways.values()])
    path = tmp_path / "frozen.pb"
    path.write_bytes(graph.SerializeToString())
    agree(path, outputs=outputs)


def test_a_loop_that_was_lowered_in_another_way_is_refused(tf: Any, tmp_path: Path) -> None:
    graph, outputs = lowered(tf, loops(tf)["in order"])
    [node for node in graph.node if node.op == "Enter"][-1].attr["frame_name"].s = b"another"
    path = tmp_path / "frozen.pb"
    path.write_bytes(graph.SerializeToString())
    with pytest.raises(UnsupportedModel, match=r"its loop has been lowered to \w+ .* lower_control_flow=False"):
        load(path, outputs=outputs)


def test_an_array_given_to_another_operator_is_refused(tf: Any) -> None:
    @tf.function(input_signature=[tf.TensorSpec((9, 3), name="x")])
    def function(x: Any) -> Any:
        array = tf.TensorArray(tf.float32, size=9, element_shape=(3,))
        return tf.while_loop(lambda i, _: i < 9, lambda i, a: (i + 1, a.write(i, x[i])), (0, array))[1].concat()

    with pytest.raises(
        UnsupportedModel, match=r"it is given to TensorListConcatV2 \('.*'\); use stack, read or gather"
    ):
        load(function)
