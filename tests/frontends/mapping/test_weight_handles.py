from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from onnxpress_frontends.mapping import weight_handles

BIG, SMALL = np.ones((80, 80), np.float32), np.ones((3, 3), np.float32)


@pytest.fixture
def graph(tf: Any) -> Any:
    """``big`` and ``small`` are multiplied by ``x``; the values of ``shown`` are needed; ``mapped`` runs in a loop."""
    with tf.Graph().as_default() as made:
        names = ("big", "small", "shown", "mapped")
        big, small, shown, mapped = (tf.compat.v1.placeholder(tf.float32, name=name) for name in names)
        x = tf.compat.v1.placeholder(tf.float32, name="x")
        tf.matmul(x, tf.identity(big, name="copied"), name="product")
        tf.linalg.diag_part(shown, name="diagonal")
        tf.matmul(x, small)
        tf.compat.v1.while_loop(lambda i: i < 3, lambda i: i + tf.reduce_sum(mapped), [0.0])
        tf.matmul(x, tf.constant(np.arange(6400.0, dtype=np.float32).reshape(80, 80), name="literal"))
    return made.as_graph_def()


def op_of(graph: Any, name: str) -> str:
    return next(str(node.op) for node in graph.node if node.name == name)


def test_a_weight_that_is_only_multiplied_stays_outside(graph: Any) -> None:
    weights = {"big": BIG, "shown": BIG, "mapped": BIG}
    weight_handles.hide(graph, weights, ["product:0"])
    assert {name: op_of(graph, name) for name in ("big", "shown", "mapped")} == {
        "big": "Placeholder",
        "shown": "Const",
        "mapped": "Placeholder",
    }
    assert weights.keys() == {"big", "mapped", "literal"}


def test_a_big_constant_goes_outside(graph: Any) -> None:
    weights: dict[str, Any] = {}
    weight_handles.hide(graph, weights, ["product:0"])
    assert op_of(graph, "literal") == "Placeholder"
    np.testing.assert_array_equal(weights["literal"], np.arange(6400, dtype=np.float32).reshape(80, 80))


def test_a_weight_that_is_returned_is_seen(graph: Any) -> None:
    weights = {"big": BIG, "shown": BIG, "mapped": BIG}
    weight_handles.hide(graph, weights, ["copied:0"])
    assert op_of(graph, "big") == "Const" and "big" not in weights


def test_small_weights_are_constants(tf: Any, graph: Any) -> None:
    weights = {"big": BIG, "small": SMALL}
    weight_handles.put_back_small(graph, weights)
    assert weights.keys() == {"big"}
    node = next(node for node in graph.node if node.name == "small")
    np.testing.assert_array_equal(tf.make_ndarray(node.attr["value"].tensor), SMALL)


def test_a_weight_whose_handle_is_gone_is_forgotten(graph: Any) -> None:
    weights = {"big": BIG, "elsewhere": SMALL}
    weight_handles.drop_unused(graph, weights)
    assert weights.keys() == {"big"}
