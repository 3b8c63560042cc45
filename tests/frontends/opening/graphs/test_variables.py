from __future__ import annotations

from typing import Any

import pytest

from graphs_of_tensorflow_1 import placeholder, variable
from onnxpress_frontends.opening.graphs.variables import origin, variable_of


@pytest.mark.parametrize("use_resource", [False, True])
def test_a_value_leads_to_its_variable(tf: Any, use_resource: bool) -> None:
    with tf.Graph().as_default() as graph:
        weight = variable(tf, "weight", 3, use_resource=use_resource)
        tf.identity(tf.identity(weight), name="value")
        tf.multiply(weight, 2.0, name="twice")
    nodes = {node.name: node for node in graph.as_graph_def().node}
    assert variable_of("value:0", nodes) == "weight"
    assert (variable_of("twice:0", nodes), variable_of("gone:0", nodes)) == (None, None)


def test_a_loop_of_identities_ends(tf: Any) -> None:
    graph = tf.compat.v1.GraphDef()
    for name, source in (("a", "b"), ("b", "a")):
        graph.node.add(name=name, op="Identity", input=[source])
    assert variable_of("a", {node.name: node for node in graph.node}) is None


def test_other_tensors_have_an_origin_too(tf: Any) -> None:
    with tf.Graph().as_default() as graph:
        tf.identity(placeholder(tf, "x", 3), name="y")
    assert origin("y:0", {node.name: node for node in graph.as_graph_def().node}) == "x"
