from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onnxpress.runtime import Session
from onnxpress_frontends.mapping.raising.graph_raising import raise_control_flow
from onnxpress_frontends.mapping.raising.loops import raise_loop
from onnxpress_frontends.mapping.raising.regions import Unraisable
from onnxpress_frontends.tensorflow_source import load


def loops(model: Any) -> int:
    return Counter(node.op_type for node in model.graph.all_nodes())["Loop"]


def raised(freeze: Callable[..., Any], function: Callable[..., Any], *shapes: tuple[int | None, ...]) -> Any:
    """The graph that a frozen function becomes, the While of its only loop, and that one's body."""
    graph, outputs = freeze(function, *shapes)
    raise_control_flow(graph, ["x", *outputs])
    (loop,) = (node for node in graph.node if node.op in ("While", "StatelessWhile"))
    library = {each.signature.name: each for each in graph.library.function}
    return graph, loop, library[loop.attr["body"].func.name]


def test_what_ends_loops(tf: Any, convert: Callable[..., Any]) -> None:
    def function(x: Any) -> list[Any]:
        count, halved = tf.while_loop(
            lambda i, a: tf.reduce_sum(tf.abs(a)) > 0.1, lambda i, a: (i + 1, a * 0.5), (0, x)
        )
        at_most = tf.while_loop(lambda a: True, lambda a: (tf.tanh(a),), (x,), maximum_iterations=4)[0]
        return [tf.cast(count, tf.float32), halved, at_most]

    assert loops(convert(function, (None, 3))) == 2


def test_variables_that_a_step_hands_on_or_swaps(tf: Any, convert: Callable[..., Any]) -> None:
    def function(x: Any) -> list[Any]:
        handed = tf.while_loop(lambda i, a, b: i < 3, lambda i, a, b: (i + 1, a + b, b), (0, x, x * 2.0))
        swapped = tf.while_loop(lambda i, a, b: i < 3, lambda i, a, b: (i + 1, b, a), (0, x, x * 2.0))
        return [*handed[1:], *swapped[1:]]

    assert loops(convert(function, (None, 3))) == 2


def test_loops_in_loops_with_what_does_not_change(tf: Any, convert: Callable[..., Any]) -> None:
    weight = tf.Variable(tf.reshape(tf.linspace(-0.7, 0.9, 9), (3, 3)))

    def function(x: Any) -> Any:
        def step(i: Any, a: Any) -> Any:
            inner = tf.while_loop(lambda j, _: j < i, lambda j, b: (j + 1, tf.tanh(b @ weight) + x), (0, a))[1]
            return i + 1, inner - tf.cast(i, tf.float32)

        return tf.while_loop(lambda i, _: i < 3, step, (0, x))[1]

    assert loops(convert(function, (None, 3))) == 2


def test_a_big_constant_in_a_step(tf: Any, freeze: Callable[..., Any], tmp_path: Path) -> None:
    big = np.linspace(0, 1, 6000, dtype=np.float32)
    function = lambda x: tf.while_loop(lambda i, _: i < 3, lambda i, a: (i + 1, a * big), (0, x))[1]  # noqa: E731
    graph, outputs = freeze(function, (None, 6000))
    path = tmp_path / "frozen.pb"
    path.write_bytes(graph.SerializeToString())
    x = np.random.default_rng(0).standard_normal((2, 6000)).astype(np.float32)
    (actual,) = Session(load(path, outputs=outputs)).run({"x": x}).values()
    np.testing.assert_allclose(actual, function(x).numpy(), rtol=1e-6, atol=0)


def test_a_shape_that_each_step_changes(tf: Any, convert: Callable[..., Any]) -> None:
    def function(x: Any) -> Any:
        shapes = (tf.TensorShape((None, 3)),)
        return tf.while_loop(lambda a: tf.shape(a)[0] < 40, lambda a: (tf.concat([a, -a], 0),), (x,), shapes)[0]

    assert loops(convert(function, (None, 3))) == 1


def test_a_while_counts_and_has_no_variable_that_nothing_needs(tf: Any, freeze: Callable[..., Any]) -> None:
    function = lambda x: tf.while_loop(lambda i, _: i < 3, lambda i, a: (i + 1, a + 1.0), (0, x))[1]  # noqa: E731
    graph, loop, body = raised(freeze, function, (None, 3))
    assert (loop.name, loop.op) == ("while", "StatelessWhile")
    nodes = {node.name: node for node in graph.node}
    starts = [nodes[name] for name in loop.input[:2]]
    assert [tf.make_ndarray(node.attr["value"].tensor) for node in starts] == [0, -1]
    assert [nodes[name].op for name in loop.input[2:]] == ["Const", "Placeholder"]
    assert body.ret["result_1"] == body.signature.input_arg[1].name
    assert not any(name.startswith("^") for node in body.node_def for name in node.input)


def test_a_loop_that_draws_numbers_is_stateful(tf: Any, freeze: Callable[..., Any]) -> None:
    step = lambda i, a: (i + 1, a + tf.random.uniform((3,)))  # noqa: E731
    function = lambda x: tf.while_loop(lambda i, _: i < 3, step, (0, x))[1]  # noqa: E731
    assert raised(freeze, function, (None, 3))[1].op == "While"


def test_a_loop_around_another_must_wait(tf: Any, freeze: Callable[..., Any]) -> None:
    def function(x: Any) -> Any:
        inner = lambda a: tf.while_loop(lambda j, _: j < 2, lambda j, b: (j + 1, b * 0.5), (0, a))[1]  # noqa: E731
        return tf.while_loop(lambda i, _: i < 3, lambda i, a: (i + 1, inner(a) + 1.0), (0, x))[1]

    graph, _ = freeze(function, (None, 3))
    outer, inner = sorted({node.attr["frame_name"].s for node in graph.node if node.op == "Enter"}, key=len)
    with pytest.raises(Unraisable):
        raise_loop(graph, outer)
    assert raise_loop(graph, inner) == inner.decode()
    assert raise_loop(graph, outer) == "while"
