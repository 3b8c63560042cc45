from __future__ import annotations

from typing import Any

import pytest

from graphs_of_tensorflow_1 import control_flow, placeholder
from onnxpress_frontends.opening.graphs.function_library import called_functions, name_functions_apart


@pytest.fixture
def graph(tf: Any) -> Any:
    """A condition, a call in one of its branches, and a call that nothing needs."""
    with tf.Graph().as_default() as built, control_flow(tf, 2):
        x = placeholder(tf, "x", 3)

        @tf.function(autograph=False)
        def inner(a: Any) -> Any:
            return tf.tanh(a)

        @tf.function(autograph=False)
        def unused(a: Any) -> Any:
            return tf.exp(a)

        tf.identity(tf.cond(x[0] > 0, lambda: inner(x), lambda: x), name="y")
        tf.identity(unused(x), name="other")
    return built.as_graph_def()


def test_functions_that_functions_call_are_called(graph: Any) -> None:
    (condition,) = (node for node in graph.node if node.op in ("If", "StatelessIf"))
    called = {function.signature.name for function in called_functions(graph, [condition])}
    assert len(called) == 3 and any("inner" in name for name in called)


def test_names_tell_the_content(tf: Any, graph: Any) -> None:
    from tensorflow.python.framework import op_def_registry

    first, second, other = (type(graph)() for _ in range(3))
    for copy in (first, second, other):
        copy.CopyFrom(graph)
    next(function for function in other.library.function if function.node_def).node_def[0].name += "_changed"
    for copy in (first, second, other):
        name_functions_apart(copy)
    library = [{function.signature.name for function in copy.library.function} for copy in (first, second, other)]
    assert library[0] == library[1] and library[0].isdisjoint(library[2])
    called = called_functions(first, first.node)
    assert {function.signature.name for function in called} == library[0]
    assert all(op_def_registry.get(node.op) for node in first.node)
