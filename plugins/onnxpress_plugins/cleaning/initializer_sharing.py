"""Keep one of several initialisers that hold the same numbers.

Same means same type, same shape, same bytes.  Inputs and outputs of a graph stay as they are; a subgraph may use an
initialiser of the graphs around it.  All of a tensor is read only if another agrees in type, shape and both ends, so
that weights on disk stay there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx_ir as ir

from onnxpress.records import Notes

if TYPE_CHECKING:
    from numpy.typing import NDArray

SAMPLE = 256
"""How many numbers at either end must agree before all are compared."""

_Kind = tuple[ir.DataType, tuple[int, ...]]
_Known = dict[tuple[_Kind, bytes], tuple[ir.Value, ...]]


class ShareInitializers(ir.passes.InPlacePass):
    """Merges equal initialisers; the first one stays."""

    def __init__(self, notes: Notes) -> None:
        self.notes = notes

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """The graph first, then its subgraphs with what they can see."""
        kinds = Counter(_kind(value) for graph in model.graphs() for value in _candidates(graph))
        merged = self._share(model.graph, {}, kinds)
        self.notes.count("duplicate initialisers merged", merged)
        return ir.passes.PassResult(model, bool(merged))

    def _share(self, graph: ir.Graph, visible: _Known, kinds: Counter[_Kind]) -> int:
        known, merged = dict(visible), 0
        for value in list(_candidates(graph)):
            if kinds[_kind(value)] < 2:
                continue
            alike = (_kind(value), _sample(value))
            kept = next((other for other in known.get(alike, ()) if _equal(value, other)), None)
            if kept is None:
                known[alike] = (*known.get(alike, ()), value)
            else:
                value.replace_all_uses_with(kept)
                del graph.initializers[value.name or ""]
                merged += 1
        return merged + sum(self._share(subgraph, known, kinds) for node in graph for subgraph in _subgraphs(node))


def _candidates(graph: ir.Graph) -> Iterator[ir.Value]:
    for value in graph.initializers.values():
        if value.const_value is not None and not value.is_graph_input() and not value.is_graph_output():
            yield value


def _kind(value: ir.Value) -> _Kind:
    tensor = value.const_value
    assert tensor is not None
    return tensor.dtype, tuple(tensor.shape.numpy())


def _sample(value: ir.Value) -> bytes:
    numbers = _numbers(value)
    return numbers[:SAMPLE].tobytes() + numbers[-SAMPLE:].tobytes()


def _equal(one: ir.Value, other: ir.Value) -> bool:
    # bytes: 0.0 is not -0.0, and NaN is NaN
    return np.array_equal(_numbers(one).view(np.uint8), _numbers(other).view(np.uint8))


def _numbers(value: ir.Value) -> NDArray[Any]:
    """The tensor in one row; texts as hexadecimal digits, each as long as the longest."""
    tensor = value.const_value
    assert tensor is not None
    if isinstance(tensor, ir.StringTensor):
        return np.array([text.hex() for text in tensor.string_data()])
    return np.ascontiguousarray(tensor.numpy()).reshape(-1)


def _subgraphs(node: ir.Node) -> Iterator[ir.Graph]:
    for attribute in node.attributes.values():
        if attribute.type == ir.AttributeType.GRAPH and not attribute.is_ref():
            yield attribute.as_graph()
        elif attribute.type == ir.AttributeType.GRAPHS and not attribute.is_ref():
            yield from attribute.as_graphs()
