"""What merely moves elements stands outside of the integers, and the names stay where they were."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from onnxpress_backends.ascend.frozen_graphs.integer_spans import clear
from onnxpress_backends.tensorflow.graphs.dtypes import DType
from onnxpress_backends.tensorflow.graphs.graph import Graph, Node, Tensor
from quantised_models import quantised


def chain(graph_def: Any, start: str) -> list[str]:
    """The operators from a node on, along the first reader of each."""
    ops = []
    while start:
        reader = next((node for node in graph_def.node if start in (given.split(":")[0] for given in node.input)), None)
        ops += [reader.op] if reader is not None else []
        start = reader.name if reader is not None else ""
    return ops


def a_layer(*before: str, behind: str = "", readers: int = 1) -> Graph:
    """``x``, AscendQuant, the operators `before`, Conv2D, one `behind`, AscendDequant ``y``."""
    graph = Graph()
    tensor = Tensor(graph.add("Placeholder", name="x", dtype=DType.FLOAT, shape=(1, 4, 4, 2)))
    tensor = quant = Tensor(graph.add("AscendQuant", tensor, name="c.quant", scale=1.0, offset=3.0))
    for op in before:
        tensor = Tensor(graph.add(op, tensor, *_OPERANDS[op](graph), name=f"c/{op}", **_ATTRS.get(op, {})))
    kernel = graph.constant(np.ones((1, 1, 2, 2), np.float32))
    tensor = Tensor(graph.add("Conv2D", tensor, kernel, name="c", strides=[1] * 4, padding="VALID"))
    if behind:
        tensor = Tensor(graph.add(behind, tensor, *_OPERANDS[behind](graph), name=f"c/{behind}", **_ATTRS[behind]))
    words = Tensor(graph.add("Const", name="c.dequant.param", value=np.ones(1, np.uint64), dtype=DType.UINT64))
    outputs = {"y": Tensor(graph.add("AscendDequant", tensor, words, name="d", ksize=[1, 1]))}
    for index in range(1, readers):
        outputs[f"z{index}"] = Tensor(graph.add("AscendAntiQuant", quant, scale=1.0, offset=-3.0))
    graph.reserve(list(outputs))
    graph.finish(outputs)
    return graph


def _number(value: float) -> Any:
    return lambda graph: [graph.constant(np.zeros((4, 2), np.int32)), graph.constant(np.float32(value))]


_OPERANDS: dict[str, Any] = {
    "MaxPool": lambda graph: [],
    "Pad": lambda graph: [graph.constant(np.zeros((4, 2), np.int32))],
    "PadV2": _number(-np.inf),
    "Relu": lambda graph: [],
    "Reshape": lambda graph: [graph.constant(np.int32([1, 4, 4, 2]))],
    "StridedSlice": lambda graph: [graph.constant(np.int32([index] * 4)) for index in (0, 0, 1)],
    "Transpose": lambda graph: [graph.constant(np.int32([0, 1, 2, 3]))],
}
_ATTRS: dict[str, Any] = {
    "MaxPool": {"ksize": [1] * 4, "strides": [1] * 4, "padding": "VALID"},
    "StridedSlice": {"begin_mask": 15, "end_mask": 15},
    "Reshape": {},
}


def path(graph: Graph) -> list[str]:
    """The operators from ``x`` to ``y``."""
    node: Node | None = graph.outputs["y"].node
    ops: list[str] = []
    while node is not None:
        ops.insert(0, node.op)
        node = node.inputs[0].node if node.inputs else None
    return ops[1:]


@pytest.mark.parametrize("op", ["Reshape", "Transpose", "PadV2", "StridedSlice"])
def test_what_moves_elements_goes_in_front_of_ascend_quant(op: str) -> None:
    graph = a_layer(op)
    clear(graph)
    assert path(graph) == [op, "AscendQuant", "Conv2D", "AscendDequant"]
    assert [node.name for node in graph.nodes if node.op == "AscendQuant"] == ["c.quant"]


def test_several_keep_their_order() -> None:
    graph = a_layer("MaxPool", "Reshape", "Transpose")
    clear(graph)
    assert path(graph) == ["MaxPool", "Reshape", "Transpose", "AscendQuant", "Conv2D", "AscendDequant"]


def test_a_pad_right_in_front_of_a_convolution_stays() -> None:
    graph = a_layer("Reshape", "Pad")
    clear(graph)
    assert path(graph) == ["Reshape", "AscendQuant", "Pad", "Conv2D", "AscendDequant"]


def test_what_changes_elements_stays() -> None:
    graph = a_layer("Relu")
    clear(graph)
    assert path(graph) == ["AscendQuant", "Relu", "Conv2D", "AscendDequant"]


def test_who_else_reads_the_integers_keeps_them() -> None:
    graph = a_layer("Transpose", readers=2)
    clear(graph)
    assert path(graph) == ["Transpose", "AscendQuant", "Conv2D", "AscendDequant"]
    anti = graph.outputs["z1"].node
    assert anti.inputs[0].node.op == "AscendQuant" and anti.inputs[0].node.inputs[0].node.name == "x"
    assert anti.inputs[0].node.name == "c.quant"


@pytest.mark.parametrize("op", ["Reshape", "StridedSlice"])
def test_what_moves_channels_as_a_whole_goes_behind_ascend_dequant(op: str) -> None:
    graph = a_layer(behind=op)
    clear(graph)
    assert path(graph) == ["AscendQuant", "Conv2D", "AscendDequant", op]
    assert graph.outputs["y"].node.name == "y"
    assert [node.name for node in graph.nodes if node.op == "AscendDequant"] == ["c.dequant"]


def test_nodes_come_behind_what_they_read() -> None:
    graph = a_layer("Reshape", "Transpose", behind="StridedSlice", readers=2)
    clear(graph)
    places = {node: place for place, node in enumerate(graph.nodes)}
    assert all(places[tensor.node] < places[node] for node in graph.nodes for tensor in node.inputs)


def test_two_layers_share_what_goes_in_front(write: Any) -> None:
    """The image is moved once, for the layer and for the sum."""
    text = "g (float[1,4,6,6] x, float[4,4,3,3] w, float[4] b) => (float[1,4,6,6] y)"
    graph_def = write(quantised(f"{text} {{ [c] t = Conv<pads=[1,1,1,1]>(x, w, b) y = Add(t, x) }}"))
    assert [node.op for node in graph_def.node].count("Transpose") == 2


def test_rows_are_reshaped_outside(write: Any) -> None:
    text = "g (float[2,3,4] x, float[4,5] w, float[5] b) => (float[2,3,5] y)"
    graph_def = write(quantised(f"{text} {{ [c] t = MatMul(x, w) [a] y = Add(t, b) }}"))
    assert chain(graph_def, "x") == ["Reshape", "AscendQuant", "MatMul", "BiasAdd", "AscendDequant", "Reshape"]
