from __future__ import annotations

from collections.abc import Callable
from typing import Any

from onnxpress_frontends.mapping.raising.graph_raising import raise_control_flow

Shapes = dict[str, list[Any]]


def shapes(tf: Any, freeze: Callable[..., Any], function: Callable[..., Any], *given: tuple[int | None, ...]) -> Shapes:
    """What every loop and branch of a frozen function says of its outputs, by operator, the outer ones first."""
    graph, outputs = freeze(function, *given)
    raise_control_flow(graph, ["x", *outputs])
    found: Shapes = {}
    pending = [graph.node]
    library = {each.signature.name: each.node_def for each in graph.library.function}
    while pending:
        for node in pending.pop(0):
            if "output_shapes" in node.attr:
                told = [tf.TensorShape(shape) for shape in node.attr["output_shapes"].list.shape]
                found.setdefault(node.op, []).append([None if s.rank is None else s.as_list() for s in told])
                keys = (key for key in sorted(node.attr) if node.attr[key].HasField("func"))
                pending += [library[node.attr[key].func.name] for key in keys]
    return found


def test_a_variable_has_the_shape_that_it_keeps(tf: Any, freeze: Callable[..., Any]) -> None:
    def function(x: Any) -> Any:
        start = (x, x, tf.zeros((2, 3)), tf.zeros(()))
        kept = tuple(map(tf.TensorShape, ((2, 3), (None, 3), (None, 3), None)))
        step = lambda a, b, c, d: (a * 0.5, tf.concat([b, b], 0), b, d[None])  # noqa: E731
        return tf.while_loop(lambda *each: tf.reduce_sum(each[0]) > 1, step, start, kept)

    (found,) = shapes(tf, freeze, function, (2, 3))["StatelessWhile"]
    assert sorted(found, key=str) == sorted([[], [], [2, 3], [None, 3], [None, 3], None], key=str)


def test_a_result_has_what_both_branches_give(tf: Any, freeze: Callable[..., Any]) -> None:
    def function(x: Any) -> Any:
        condition = tf.reduce_sum(x) > 0
        return tf.cond(condition, lambda: (x, x, x * 2.0), lambda: (x[:1], tf.reduce_sum(x), x + 1.0))

    assert shapes(tf, freeze, function, (2, 3)) == {"StatelessIf": [[[None, 3], None, [2, 3]]]}


def test_inner_shapes_follow_from_outer_ones(tf: Any, freeze: Callable[..., Any]) -> None:
    def function(x: Any) -> Any:
        inner = lambda a: tf.while_loop(lambda b: tf.reduce_sum(b) > 1, lambda b: (b * 0.5,), (a,))[0]  # noqa: E731
        step = lambda a: (tf.concat([inner(a), a], 0),)  # noqa: E731
        kept = (tf.TensorShape((None, 3)),)
        return tf.while_loop(lambda a: tf.shape(a)[0] < 9, step, (inner(x),), kept)

    found = shapes(tf, freeze, function, (2, 3))["StatelessWhile"]
    assert sorted(found, key=str) == [[[], [], [2, 3]], [[], [], [None, 3]], [[], [], [None, 3]]]
