"""Keep one of several initialisers that hold the same numbers.

Same means same type, same shape, same bytes.  Inputs and outputs of a graph stay as they are; a subgraph may use an
initialiser of the graphs around it.  Only tensors that agree in type and shape are read at all, and external data are
unmapped again, so that a model larger than the memory passes through.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator

import onnx_ir as ir

from onnxpress.records import Notes

_Kind = tuple[ir.DataType, tuple[int, ...]]
_Known = dict[tuple[_Kind, bytes], ir.Value]


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
            kept = known.setdefault((_kind(value), _digest(value)), value)
            if kept is not value:
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


def _digest(value: ir.Value) -> bytes:
    tensor = value.const_value
    assert tensor is not None
    if isinstance(tensor, ir.StringTensor):
        return hashlib.sha256(repr(list(tensor.string_data())).encode()).digest()
    digest = hashlib.sha256(tensor.tobytes()).digest()
    if isinstance(tensor, ir.ExternalTensor):
        tensor.release()
    return digest


def _subgraphs(node: ir.Node) -> Iterator[ir.Graph]:
    for attribute in node.attributes.values():
        if attribute.type == ir.AttributeType.GRAPH and not attribute.is_ref():
            yield attribute.as_graph()
        elif attribute.type == ir.AttributeType.GRAPHS and not attribute.is_ref():
            yield from attribute.as_graphs()
