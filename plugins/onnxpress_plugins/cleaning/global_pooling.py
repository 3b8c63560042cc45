"""Write a mean over all pixels as GlobalAveragePool, which runtimes have integer kernels for and ReduceMean not.

    ReduceMean(x, axes = every axis from 2 on, keepdims = 1)  =  GlobalAveragePool(x)
    ReduceMean(x, axes = every axis from 2 on, keepdims = 0)  =  Flatten(GlobalAveragePool(x), axis = 1)

TensorFlow has channels last, so the mean is often taken behind a Transpose; over axes ``a`` of ``Transpose(x, perm)``
it is the mean over axes ``perm[a]`` of ``x``.  With keepdims the Transpose then follows the pooling, on one pixel.
The mean over other axes (LayerNormalization) is no pooling and no candidate.
"""

from __future__ import annotations

from collections.abc import Iterator

import onnx_ir as ir

from onnxpress.constants import array, remove
from onnxpress.naming import Names, title
from onnxpress.records import Notes
from onnxpress.rewiring import replace_uses


class PoolGlobally(ir.passes.InPlacePass):
    """Turns ReduceMean over all pixels into GlobalAveragePool."""

    def __init__(self, notes: Notes) -> None:
        self.notes = notes

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """One sweep over the graph and its subgraphs."""
        names = Names(model)
        modified = False
        for graph in model.graphs():
            for node in graph:
                if node.op_type == "ReduceMean" and node.domain == "" and self._pool(node, names):
                    self.notes.count("ReduceMean turned into GlobalAveragePool")
                    modified = True
        return ir.passes.PassResult(model, modified)

    def _pool(self, node: ir.Node, names: Names) -> bool:
        value, axes = node.inputs[0], reduced_axes(node)
        if value is None or not axes:
            return False
        if value.shape is None or value.dtype is None:
            self.notes.decline(node, f"shape or type of {value.name!r} is unknown, so these may not be all its pixels")
            return False
        rank = len(value.shape)
        pixels = set(range(2, rank))
        for order, source in _origins(value, rank):
            if pixels and {order[axis] for axis in axes} == pixels and value.dtype.is_floating_point():
                return self._rewrite(node, source, order, names)
        return False

    def _rewrite(self, node: ir.Node, source: ir.Value, order: tuple[int, ...], names: Names) -> bool:
        keep = node.attributes.get_int("keepdims", 1) != 0
        if not keep and order.index(0) > order.index(1):
            self.notes.decline(node, "its result has the channels before the batch")
            return False
        _replace(node, source, order, names, keep=keep)
        return True


def reduced_axes(node: ir.Node) -> list[int]:
    """Reduced axes as written; empty when they are not constant or not given."""
    if len(node.inputs) > 1:
        axes = array(node.inputs[1])
        return [] if axes is None else [int(axis) for axis in axes.reshape(-1)]
    return list(node.attributes.get_ints("axes", ()))


def _origins(value: ir.Value, rank: int) -> Iterator[tuple[tuple[int, ...], ir.Value]]:
    """Where the axes of `value` come from, and from which value: from itself, or from before a Transpose."""
    yield tuple(range(rank)), value
    maker = value.producer()
    if maker is not None and maker.op_type == "Transpose" and maker.domain == "" and maker.inputs[0] is not None:
        yield tuple(maker.attributes.get_ints("perm", tuple(reversed(range(rank))))), maker.inputs[0]


def _replace(node: ir.Node, source: ir.Value, order: tuple[int, ...], names: Names, *, keep: bool) -> None:
    assert node.graph is not None
    output, name = node.outputs[0], node.outputs[0].name
    nodes = [ir.node("GlobalAveragePool", [source], name=names.fresh(f"{title(node)}_pool"))]
    if not keep:
        nodes.append(ir.node("Flatten", nodes[-1].outputs, {"axis": 1}, name=names.fresh(f"{title(node)}_flatten")))
    elif order != tuple(range(len(order))):
        nodes.append(
            ir.node("Transpose", nodes[-1].outputs, {"perm": order}, name=names.fresh(f"{title(node)}_transpose"))
        )
    nodes[0].outputs[0].name = names.fresh(f"{title(node)}_pooled")
    result = nodes[-1].outputs[0]
    result.type, result.shape = output.type, output.shape
    node.graph.insert_before(node, nodes)
    replace_uses(output, result)
    remove([node])
    result.name = name
