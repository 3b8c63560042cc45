"""Between AscendQuant and AscendDequant only what GE recognises: what merely moves elements goes outside.

AscendQuant works on elements, and so does AscendDequant along the last axis, where channels lie.  A reshape, a
transposition, a border of zeros (an integer without its offset is zero where the number is) or the largest of a window
therefore gives the same in front of AscendQuant as behind it, and what moves whole channels the same behind the bias
and AscendDequant.  GE takes a Pad only right in front of a convolution over two axes.  The share of a pooling's window
that is padding is a Mul by a constant: it goes outside, too, and the order of two products changes the last bit.
"""

from __future__ import annotations

import numpy as np

from onnxpress.ascend.operators import ANTI_QUANT, DEQUANT, QUANT
from onnxpress_backends.tensorflow.graphs.graph import Graph, Node, Tensor

_BEFORE = (
    *("ExpandDims", "MaxPool", "Pad", "PadV2", "Reshape", "SpaceToBatchND", "Squeeze", "StridedSlice", "Transpose"),
)
_BEHIND = ("BatchToSpaceND", "Mul", "Reshape", "Squeeze", "StridedSlice")
_BIASES = ("Add", "BiasAdd")
_KEPT = {"MaxPool": (ANTI_QUANT,), "Pad": ("Conv2D", "DepthwiseConv2dNative")}
"""What stays behind AscendQuant when nothing else than these reads it."""


def clear(graph: Graph) -> None:
    """Move what only moves elements out of the layers of `graph`; changes it."""
    waiting = [node for node in graph.nodes if node.op == QUANT]
    while waiting:
        waiting += _quantise_later(graph, waiting.pop())
    for node in [node for node in graph.nodes if node.op == DEQUANT]:
        _dequantise_earlier(graph, node)
    graph.nodes = _ordered(graph)


def _quantise_later(graph: Graph, quant: Node) -> list[Node]:
    """Put AscendQuant behind the first of what it feeds that moves elements; the nodes to look at next."""
    readers = _readers(graph, Tensor(quant))
    mover = next((node for node in readers if _moves(graph, node)), None)
    if mover is None:
        return []
    moved = _readers(graph, Tensor(mover))
    later = quant
    if len(readers) > 1:
        later = graph.add(QUANT, quant.inputs[0], name=quant.name, **quant.attrs)
    inputs = (quant.inputs[0], *mover.inputs[1:])
    twin = next((node for node in graph.nodes if node.inputs == inputs and _same(node, mover)), mover)
    mover.inputs = inputs
    later.inputs = (Tensor(twin),)
    for node in moved:
        _replace(node, Tensor(mover), Tensor(later))
    return list({quant: None, later: None})


def _same(node: Node, other: Node) -> bool:
    return node.op == other.op and node.attrs == other.attrs


def _moves(graph: Graph, node: Node) -> bool:
    if node.op not in _BEFORE:
        return False
    if node.op == "PadV2":
        fill = node.inputs[2].node.attrs.get("value")
        return fill is not None and bool(np.isneginf(fill))
    return any(reader.op not in _KEPT.get(node.op, ()) for reader in _readers(graph, Tensor(node)))


def _dequantise_earlier(graph: Graph, dequant: Node) -> None:
    """Put the bias and AscendDequant in front of what moves channels as a whole."""
    while True:
        above = dequant.inputs[0].node
        if above.op in _BEHIND:
            _swap(graph, above, dequant)
        elif above.op in _BIASES and above.inputs[0].node.op in _BEHIND:
            _swap(graph, above.inputs[0].node, above)
        else:
            return


def _swap(graph: Graph, mover: Node, node: Node) -> None:
    """Let `node`, the only reader of `mover`, come before it."""
    readers = _readers(graph, Tensor(node))
    node.inputs = (mover.inputs[0], *node.inputs[1:])
    mover.inputs = (Tensor(node), *mover.inputs[1:])
    for reader in readers:
        _replace(reader, Tensor(node), Tensor(mover))
    for name, tensor in graph.outputs.items():
        if tensor.node is node:
            graph.outputs[name] = Tensor(mover)
            mover.name, node.name = node.name, graph.unique(node.inputs[1].node.name.removesuffix(".param"))


def _readers(graph: Graph, tensor: Tensor) -> list[Node]:
    return [node for node in graph.nodes if tensor in node.inputs]


def _replace(node: Node, old: Tensor, new: Tensor) -> None:
    node.inputs = tuple(new if tensor == old else tensor for tensor in node.inputs)


def _ordered(graph: Graph) -> list[Node]:
    """The nodes that are used, each behind what it reads."""
    used: set[Node] = set()
    waiting = [tensor.node for tensor in graph.outputs.values()]
    while waiting:
        node = waiting.pop()
        if node not in used:
            used.add(node)
            waiting += [tensor.node for tensor in node.inputs]
    ordered: dict[Node, None] = {}
    for start in graph.nodes:
        waiting = [start] if start in used or start.op == "Placeholder" else []
        while waiting:
            missing = [tensor.node for tensor in waiting[-1].inputs if tensor.node not in ordered]
            waiting += missing
            if not missing:
                ordered[waiting.pop()] = None
    return list(ordered)
