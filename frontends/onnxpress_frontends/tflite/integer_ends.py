"""Inputs and outputs that a file has in integers are integers in ONNX, too.

A DequantizeLinear comes behind such an input, a QuantizeLinear before such an output.  Inside, the graph computes with
what the integers stand for; quantising that again gives the same integers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import onnx_ir as ir

from onnxpress import opset
from onnxpress.rewiring import replace_uses

if TYPE_CHECKING:
    from onnxpress.kinds import Array
    from onnxpress_frontends.mapping.quantization_grids import Grid

_WIDE = ("int16", "uint16")
_WIDE_OPSET = 21


def use_integers(model: ir.Model, grids: Mapping[str, Grid]) -> None:
    """Make integers of the inputs and outputs of a float graph that have a grid, in place.

    Args:
        model: The graph.
        grids: Name of an input or output to its grid.
    """
    graph = model.graph
    for index, value in enumerate(list(graph.inputs)):
        name = value.name or ""
        if name in grids:
            integers = _beside(value, name, grids[name])
            node = _node(graph, "DequantizeLinear", integers, name, grids[name])
            node.outputs[0].shape, node.outputs[0].type = value.shape, value.type
            graph.inputs[index] = integers
            graph.insert_before(graph[0], node)
            replace_uses(value, node.outputs[0])
    for index, value in enumerate(list(graph.outputs)):
        name = value.name or ""
        if name in grids:
            grid = grids[name]
            value.name = f"{name}/float"
            graph.outputs[index] = integers = _integers_of(value, grid) or _quantized(graph, value, name, grid)
            integers.name = name
            producer = value.producer()
            if producer is not None and not value.uses():
                graph.remove(producer, safe=True)
    if any(grid.dtype in _WIDE for grid in grids.values()):
        opset.at_least(model, _WIDE_OPSET)


def _integers_of(value: ir.Value, grid: Grid) -> ir.Value | None:
    """The integers that `value` stands for, where they are on this very grid already."""
    node = value.producer()
    if node is None or node.op_type != "DequantizeLinear" or node.graph is None or len(node.inputs) != 3:
        return None
    integers, scale, zero_point = node.inputs
    if integers is None or integers.producer() is None or integers.is_graph_output():
        return None
    return integers if _is(scale, grid.scale) and _is(zero_point, grid.zero_point) else None


def _is(value: ir.Value | None, numbers: Array) -> bool:
    """Whether `value` is constant, and these numbers."""
    known = None if value is None else ir.convenience.get_const_tensor(value)
    return known is not None and np.array_equal(known.numpy(), numbers)


def _quantized(graph: ir.Graph, value: ir.Value, name: str, grid: Grid) -> ir.Value:
    node = _node(graph, "QuantizeLinear", value, name, grid)
    integers = _beside(value, name, grid)
    node.outputs[0].shape, node.outputs[0].type = integers.shape, integers.type
    graph.append(node)
    return node.outputs[0]


def _beside(value: ir.Value, name: str, grid: Grid) -> ir.Value:
    dtype = ir.DataType.from_numpy(np.dtype(grid.dtype))
    return ir.Value(name=name, shape=value.shape, type=ir.TensorType(dtype))


def _node(graph: ir.Graph, op: str, value: ir.Value, name: str, grid: Grid) -> ir.Node:
    """A node with the grid's parameters, which become initialisers; all names begin with `name`."""
    operands = [value]
    for role, array in (("scale", grid.scale), ("zero_point", grid.zero_point.astype(grid.dtype))):
        tensor = ir.tensor(array, name=f"{name}/{role}")
        shape, dtype = ir.Shape(array.shape), ir.TensorType(tensor.dtype)
        operands.append(ir.Value(name=tensor.name, shape=shape, type=dtype, const_value=tensor))
        graph.register_initializer(operands[-1])
    node = ir.node(op, operands, name=f"{name}/{op}")
    node.outputs[0].name = node.name
    return node
