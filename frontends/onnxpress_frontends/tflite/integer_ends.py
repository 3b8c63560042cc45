"""Inputs and outputs that a file has in integers are integers in ONNX, too: DequantizeLinear behind, QuantizeLinear before.

Inside, the graph computes with what the integers stand for; quantising that again gives the same integers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import onnx_ir as ir

from onnxpress.rewiring import replace_uses

if TYPE_CHECKING:
    from onnxpress_frontends.mapping.quantization_grids import Grid


def use_integers(model: ir.Model, grids: Mapping[str, Grid]) -> None:
    """Make integers of the inputs and outputs of a float graph that have a grid, in place.

    Args:
        model: The graph.
        grids: Name of an input or output to its grid.
    """
    graph = model.graph
    for index, value in enumerate(list(graph.inputs)):
        if value.name in grids:
            integers = _beside(value, value.name, grids[value.name])
            node = _node(graph, "DequantizeLinear", integers, grids[value.name])
            node.outputs[0].shape, node.outputs[0].type = value.shape, value.type
            graph.inputs[index] = integers
            graph.insert_before(graph[0], node)
            replace_uses(value, node.outputs[0])
    for index, value in enumerate(list(graph.outputs)):
        if value.name in grids:
            name, grid = value.name, grids[value.name]
            node = _node(graph, "QuantizeLinear", value, grid)
            integers = _beside(value, name, grid)
            node.outputs[0].shape, node.outputs[0].type = integers.shape, integers.type
            value.name, node.outputs[0].name = f"{name}/float", name
            graph.append(node)
            graph.outputs[index] = node.outputs[0]


def _beside(value: ir.Value, name: str, grid: Grid) -> ir.Value:
    dtype = ir.DataType.from_numpy(np.dtype(grid.dtype))
    return ir.Value(name=name, shape=value.shape, type=ir.TensorType(dtype))


def _node(graph: ir.Graph, op: str, value: ir.Value, grid: Grid) -> ir.Node:
    """A node of the grid's parameters, which become initialisers; all names come from that of `value`."""
    operands = [value]
    for role, array in (("scale", grid.scale), ("zero_point", grid.zero_point.astype(grid.dtype))):
        tensor = ir.tensor(array, name=f"{value.name}/{role}")
        shape, dtype = ir.Shape(array.shape), ir.TensorType(tensor.dtype)
        operands.append(ir.Value(name=tensor.name, shape=shape, type=dtype, const_value=tensor))
        graph.register_initializer(operands[-1])
    node = ir.node(op, operands, name=f"{value.name}/{op}")
    node.outputs[0].name = node.name
    return node
