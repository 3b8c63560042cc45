from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from onnxpress_frontends.mapping.raising.branches import raise_branch


def operators(model: Any) -> Counter[str]:
    return Counter(node.op_type for node in model.graph.all_nodes())


@pytest.mark.parametrize("least", [-1e9, 1e9])
def test_branches_of_one_condition_are_one_if(tf: Any, convert: Callable[..., Any], least: float) -> None:
    def function(x: Any) -> list[Any]:
        condition = tf.reduce_sum(x) > least
        row = tf.cond(condition, lambda: tf.constant([1.0, 2.0, 3.0]), lambda: tf.constant([4.0, 5.0, 6.0]))
        one, two = tf.cond(condition, lambda: (tf.tanh(x), x), lambda: (x, x * 2.0))
        return [row * x, one, two]

    assert operators(convert(function, (None, 3)))["If"] == 1


@pytest.mark.parametrize("least", [-1e9, 1e9])
def test_a_condition_is_asked_again_of_what_it_gave(tf: Any, convert: Callable[..., Any], least: float) -> None:
    def function(x: Any) -> Any:
        condition = tf.reduce_sum(x) > least
        first = tf.cond(condition, lambda: x + 1.0, lambda: x * 3.0)
        return tf.cond(condition, lambda: tf.tanh(first), lambda: first - 5.0)

    assert operators(convert(function, (None, 3)))["If"] == 2


@pytest.mark.parametrize("least", [-1e9, 1e9])
def test_branches_and_loops_in_each_other(tf: Any, convert: Callable[..., Any], least: float) -> None:
    def function(x: Any) -> list[Any]:
        condition = tf.reduce_sum(x) > least

        def halved(a: Any) -> Any:
            return tf.while_loop(lambda i, _: i < 3, lambda i, b: (i + 1, b * 0.5), (0, a))[1]

        def step(i: Any, a: Any) -> Any:
            return i + 1, tf.cond(tf.reduce_sum(a) > least, lambda: tf.sin(a), lambda: a - tf.cast(i, tf.float32))

        inner = lambda: tf.cond(tf.reduce_max(x) > 3, lambda: x, lambda: x - 1.0)  # noqa: E731
        chosen = tf.cond(condition, lambda: (inner(), x), lambda: (halved(x), x + 2.0))
        return [*chosen, tf.while_loop(lambda i, _: i < 3, step, (0, x))[1]]

    found = operators(convert(function, (None, 3)))
    assert (found["If"], found["Loop"]) == (3, 2)


@pytest.mark.parametrize("choice", [-1, 0, 1, 2, 7])
def test_cases_are_cases_again(tf: Any, convert: Callable[..., Any], choice: int) -> None:
    def function(x: Any) -> Any:
        index = tf.cast(tf.reduce_sum(x) * 0, tf.int32) + choice
        return tf.switch_case(index, [lambda: tf.tanh(x), lambda: tf.ones((9, 3)), lambda: x - 1.0])

    assert operators(convert(function, (None, 3)))["If"] == 2


def test_a_merge_whose_condition_is_not_certain_is_left_alone(tf: Any) -> None:
    with tf.Graph().as_default() as graph:
        x, one, two = (tf.compat.v1.placeholder(kind, (), name=kind) for kind in ("float32", "bool", "bool"))
        (no, _), (_, yes) = (tf.raw_ops.Switch(data=x, pred=pred) for pred in (one, two))
        tf.raw_ops.Merge(inputs=[no, yes])
    definition = graph.as_graph_def()
    before = definition.SerializeToString(deterministic=True)
    assert not raise_branch(definition)
    assert definition.SerializeToString(deterministic=True) == before


def test_branches_of_tensorflow_1_in_the_other_order(tf: Any) -> None:
    with tf.Graph().as_default() as graph:
        x, pred = tf.compat.v1.placeholder("float32", (), name="x"), tf.compat.v1.placeholder("bool", (), name="pred")
        no, yes = tf.raw_ops.Switch(data=x, pred=pred)
        tf.raw_ops.Merge(inputs=[tf.tanh(yes, name="yes"), tf.sin(no, name="no")], name="y")
    definition = graph.as_graph_def()
    assert raise_branch(definition)
    (choice,) = (node for node in definition.node if node.op == "StatelessIf")
    library = {function.signature.name: function for function in definition.library.function}
    branches = [library[choice.attr[key].func.name].node_def for key in ("then_branch", "else_branch")]
    assert [[node.name for node in nodes] for nodes in branches] == [["yes"], ["no"]]
    assert list(choice.input) == ["pred", "x"]
