"""A TensorFlow graph under construction: types follow, names are the user's, mistakes in rules are found."""

from __future__ import annotations

import numpy as np
import pytest

from onnxpress_backends.tensorflow.graphs.dtypes import DType
from onnxpress_backends.tensorflow.graphs.graph import Graph, Tensor, legal_name


def placeholder(graph: Graph, name: str, dtype: DType = DType.FLOAT) -> Tensor:
    return Tensor(graph.add("Placeholder", name=name, dtype=dtype, shape=None))


def test_types_follow_from_the_inputs() -> None:
    graph = Graph()
    x = placeholder(graph, "x", DType.HALF)
    joined = graph.add("ConcatV2", [x, x], graph.constant(np.int32(0)))
    assert joined.attrs["T"] == DType.HALF
    assert joined.attrs["N"] == 2
    assert Tensor(joined).dtype == DType.HALF
    shape = graph.add("Shape", x, out_type=DType.INT64)
    assert Tensor(shape).dtype == DType.INT64


def test_several_outputs_have_a_type_each() -> None:
    graph = Graph()
    values = graph.add("TopKV2", placeholder(graph, "x"), graph.constant(np.int32(2)))
    assert values.dtypes == (DType.FLOAT, DType.INT32)


@pytest.mark.parametrize(
    ("op", "count", "attrs", "message"),
    [
        ("Relu", 2, {}, "Relu takes 1 inputs, not 2"),
        ("Relu", 1, {"axis": 1}, "Relu has no attribute 'axis'"),
        ("Conv2D", 2, {"padding": "SAME"}, "Conv2D needs attribute 'strides'"),
        ("AddV2", 2, {"T": DType.INT32}, "AddV2: T would be both"),
    ],
)
def test_a_mistake_in_a_rule_is_found_at_once(op: str, count: int, attrs: dict[str, object], message: str) -> None:
    graph = Graph()
    with pytest.raises(TypeError, match=message):
        graph.add(op, *[placeholder(graph, "x")] * count, **attrs)


def test_small_constants_that_are_equal_are_one_node() -> None:
    graph = Graph()
    first, again = graph.constant(np.arange(3)), graph.constant(np.arange(3))
    assert first is again
    assert graph.constant(np.arange(3, dtype=np.int32)) is not first
    assert graph.constant(np.zeros(100)) is not graph.constant(np.zeros(100))


def test_names_are_legal_and_unique() -> None:
    graph = Graph()
    assert [graph.unique(name) for name in ("a b", "a_b", "A_B", "x:0", "", "_x")] == [
        "a_b", "a_b_1", "A_B_2", "x", "node", "n_x",
    ]  # fmt: skip
    assert legal_name("onnx::Conv_1") == "onnx__Conv_1"


def test_the_node_of_an_output_takes_its_name() -> None:
    graph = Graph()
    graph.reserve(["scores", "again", "x_out"])
    x = placeholder(graph, "x")
    scores = Tensor(graph.add("Relu", x, name="scores"))
    graph.finish({"scores": scores, "again": scores, "x_out": x})
    assert {name: tensor.node.op for name, tensor in graph.outputs.items()} == {
        "scores": "Relu", "again": "Identity", "x_out": "Identity",
    }  # fmt: skip
    assert all(tensor.node.name == name for name, tensor in graph.outputs.items())


def test_nodes_that_nothing_needs_are_left_out_and_inputs_stay() -> None:
    graph = Graph()
    x, unused = placeholder(graph, "x"), placeholder(graph, "unused")
    graph.add("Neg", unused)
    graph.finish({"y": Tensor(graph.add("Relu", x))})
    assert [node.op for node in graph.nodes] == ["Placeholder", "Placeholder", "Relu"]
