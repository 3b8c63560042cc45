from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from onnxpress.errors import InvalidModel
from onnxpress_frontends.opening.graphs.graph_soundness import refuse_unsound


@pytest.fixture
def graph(tf: Any) -> Any:
    """``x``, a constant, their product ``y``, and a call of a function that doubles."""

    @tf.function(input_signature=[tf.TensorSpec((None, 2), name="x")])
    def whole(x: Any) -> Any:
        y = tf.matmul(x, tf.constant([[1.0, 2.0], [3.0, 4.0]], name="weight"), name="y")
        return tf.cond(tf.reduce_sum(y) > 0, lambda: y * 2, lambda: tf.concat([y, y], 0))

    return whole.get_concrete_function().graph.as_graph_def()


def node(graph: Any, name: str) -> Any:
    return next(each for each in graph.node if each.name == name)


def test_a_sound_graph_passes(graph: Any) -> None:
    refuse_unsound(graph, "graph.pb")


EDITS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "twice": (lambda g: g.node.append(node(g, "y")), "2 nodes are called 'y'"),
    "nameless": (lambda g: setattr(node(g, "y"), "name", ""), "1 nodes are called ''"),
    "gone": (lambda g: node(g, "y").input.__setitem__(0, "z"), "MatMul 'y' uses 'z', which is not there"),
    "too few": (lambda g: node(g, "y").input.pop(), "MatMul 'y' has 1 inputs and takes 2"),
    "too many": (lambda g: node(g, "y").input.append("x"), "MatMul 'y' has 3 inputs and takes 2"),
    "order": (
        lambda g: node(g, "y").input.__setitem__(slice(None), ["x", "^weight", "weight"]),
        "MatMul 'y' has an input behind a control edge",
    ),
    "lacking": (lambda g: node(g, "weight").attr.pop("value"), "Const 'weight' lacks its attribute 'value'"),
    "kind": (
        lambda g: node(g, "y").attr["T"].CopyFrom(type(node(g, "y").attr["T"])(i=1)),
        "MatMul 'y' has an attribute 'T' of the wrong kind",
    ),
    "another type": (
        lambda g: setattr(node(g, "weight").attr["dtype"], "type", 3),
        "Const 'weight' holds a value of another type than it says",
    ),
    "no type": (
        lambda g: [
            setattr(node(g, "weight").attr["dtype"], "type", 77),
            setattr(node(g, "weight").attr["value"].tensor, "dtype", 77),
        ],
        "Const 'weight' holds a value of unknown type 77",
    ),
    "bytes": (
        lambda g: setattr(node(g, "weight").attr["value"].tensor.tensor_shape.dim[0], "size", 3),
        "Const 'weight' holds 16 bytes for a value of shape [3, 2]",
    ),
    "negative": (
        lambda g: setattr(node(g, "weight").attr["value"].tensor.tensor_shape.dim[0], "size", -2),
        "Const 'weight' holds a value of shape [-2, 2]",
    ),
    "repeated": (
        lambda g: [
            setattr(node(g, "weight").attr["value"].tensor, "tensor_content", b""),
            setattr(node(g, "weight").attr["value"].tensor.tensor_shape.dim[0], "size", 1 << 40),
        ],
        "Const 'weight' holds 0 bytes for a value of shape [1099511627776, 2]",
    ),
}


@pytest.mark.parametrize("edit", EDITS)
def test_what_is_malformed_is_named(graph: Any, edit: str) -> None:
    change, complaint = EDITS[edit]
    change(graph)
    with pytest.raises(InvalidModel) as caught:
        refuse_unsound(graph, "graph.pb")
    assert str(caught.value) == f"graph.pb is corrupt: {complaint}"


def test_functions_are_searched_too(graph: Any) -> None:
    concat = next(each for function in graph.library.function for each in function.node_def if each.op == "ConcatV2")
    concat.input.pop()
    with pytest.raises(
        InvalidModel, match=r"ConcatV2 'cond/concat' has 2 inputs and takes 3 in function 'cond_false_\d+'"
    ):
        refuse_unsound(graph, "graph.pb")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda function: function.signature.output_arg.pop(), r"wants 1 results of 'cond_\w+', which gives 0"),
        (lambda function: function.signature.input_arg.add(name="more", type=1), r"gives 1 arguments to 'cond_\w+'"),
        (lambda function: function.ret.clear(), r"function 'cond_\w+' does not say what it returns"),
        (lambda function: setattr(function.signature, "name", "other"), r"calls 'cond_\w+', which is not there"),
    ],
    ids=["results", "arguments", "returned", "called"],
)
def test_calls_agree_with_functions(graph: Any, change: Callable[[Any], Any], complaint: str) -> None:
    change(graph.library.function[0])
    with pytest.raises(InvalidModel, match=complaint):
        refuse_unsound(graph, "graph.pb")
