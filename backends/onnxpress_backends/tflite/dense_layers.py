"""Products with a matrix that has a scale for each column, written as convolutions of one pixel.

TFLite's fully connected layers want their matrix transposed, and the converter (TensorFlow 2.21) fails when it has to
transpose one with several scales: "'tfl.transpose' op has mismatched quantized axes".  A convolution of 1 x 1 computes
the same, and its kernel lies as TensorFlow has it.  Bias, activation and rounding stay behind it, where the converter
looks for them; what follows sees a matrix again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from onnxpress_backends.tensorflow.graphs.graph import Graph, Node, Tensor
from onnxpress_backends.tensorflow.layout.constants import Weight

_PER_CHANNEL = "FakeQuantWithMinMaxVarsPerChannel"
_BEHIND = ("AddV2", "BiasAdd", "Relu", "Relu6", "FakeQuantWithMinMaxVars")
"""What a layer takes in."""


def as_convolutions(graph: Graph) -> None:
    """Rewrite every such product of `graph`."""
    for node in list(graph.nodes):
        if node.op == "MatMul" and not node.attrs["transpose_a"] and not node.attrs["transpose_b"]:
            rounding = node.inputs[1].node
            matrix = rounding.inputs[0].node.weight if rounding.op == _PER_CHANNEL else None
            if matrix is not None:
                _rewrite(graph, node, rounding, matrix)


def _rewrite(graph: Graph, product: Node, rounding: Node, matrix: Weight) -> None:
    place, start = graph.nodes.index(product), len(graph.nodes)
    rows, columns = matrix.arrangement.shape
    name = product.name
    arrangement = replace(matrix.arrangement, shape=(1, 1, rows, columns))
    kernel = graph.weight(Weight(constant=matrix.constant, arrangement=arrangement), f"{name}/kernel")
    kernel = Tensor(graph.add(_PER_CHANNEL, kernel, *rounding.inputs[1:], name=f"{name}/FakeQuant", **_grid(rounding)))
    pixels = _reshaped(graph, product.inputs[0], (-1, 1, 1, rows), name)
    convolution = graph.add("Conv2D", pixels, kernel, name=name, strides=[1, 1, 1, 1], padding="VALID")
    _replace(graph, Tensor(product), Tensor(convolution))
    _move(graph, start, place)
    last = _last(graph, convolution)
    place, start = graph.nodes.index(last) + 1, len(graph.nodes)
    matrix_again = _reshaped(graph, Tensor(last), (-1, columns), last.name)
    _replace(graph, Tensor(last), matrix_again)
    _move(graph, start, place)
    graph.nodes.remove(product)


def _grid(rounding: Node) -> dict[str, int]:
    return {name: rounding.attrs[name] for name in ("num_bits", "narrow_range")}


def _reshaped(graph: Graph, tensor: Tensor, shape: tuple[int, ...], name: str) -> Tensor:
    return Tensor(graph.add("Reshape", tensor, graph.constant(np.array(shape, np.int32)), name=f"{name}/Reshape"))


def _last(graph: Graph, node: Node) -> Node:
    """The end of the layer that begins with `node`: what alone follows, and takes a vector for each pixel."""
    while Tensor(node) not in graph.outputs.values():
        following = list(_readers(graph, Tensor(node)))
        if len(following) != 1 or following[0].op not in _BEHIND or following[0].inputs[0] != Tensor(node):
            break
        if following[0].op == "AddV2" and following[0].inputs[1].node.weight is None:
            break
        node = following[0]
    return node


def _readers(graph: Graph, tensor: Tensor) -> Iterator[Node]:
    return (node for node in graph.nodes if tensor in node.inputs)


def _replace(graph: Graph, old: Tensor, new: Tensor) -> None:
    """Let everyone who reads `old` read `new`, which is made of it or instead of it."""
    for node in _readers(graph, old):
        if node is not new.node:
            node.inputs = tuple(new if tensor == old else tensor for tensor in node.inputs)
    graph.outputs.update({name: new for name, tensor in graph.outputs.items() if tensor == old})


def _move(graph: Graph, start: int, place: int) -> None:
    """The nodes from `start` on to `place`, so that all stand in topological order."""
    made = graph.nodes[start:]
    del graph.nodes[start:]
    graph.nodes[place:place] = made
