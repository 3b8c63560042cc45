"""Float16 between operators: ATC runs what is not integer in float16, so every tensor of floats is one that it holds.

An operator itself computes in float32, as the vector and matrix units accumulate.  What only picks or moves numbers
needs no rounding, once its operands are rounded.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from onnxpress.ascend.simulation.node_writing import NodeWriter

_MOVES = (
    *("Concat", "DepthToSpace", "Expand", "Flatten", "Gather", "Identity", "Max", "MaxPool", "Min", "Pad", "Relu"),
    *("Reshape", "Slice", "SpaceToDepth", "Split", "Squeeze", "Tile", "Transpose", "Unsqueeze", "Where"),
)

_GEOMETRY = ("Resize", "Upsample")
"""Their operands after the first are factors of sizes, which ATC reads in float32."""


def store_halves(form: ir.Model, writer: NodeWriter) -> None:
    """Round the floats of `form` that `writer` has not written: inputs, constants, and what operators give."""
    written = set(writer.written)
    others = [node for node in form.graph.all_nodes() if node not in written]
    for graph in form.graphs():
        for value in graph.initializers.values():
            _round_constant(value, written)
        for value in graph.inputs:
            if value.dtype == ir.DataType.FLOAT and len(graph):
                writer.move(graph[0], value.name)
                _round(value, writer)
    for node in others:
        for value in node.outputs:
            if value.dtype == ir.DataType.FLOAT and value.name and not (node.op_type in _MOVES and not node.domain):
                writer.move_behind(node, value.name)
                _round(value, writer)


def _round_constant(value: ir.Value, written: set[ir.Node]) -> None:
    users = [use for use in value.uses() if use.node not in written]
    if (
        value.dtype != ir.DataType.FLOAT
        or value.const_value is None
        or not users
        or any(_is_size(use.node, use.idx) for use in users)
    ):
        return
    with np.errstate(over="ignore"):
        rounded = value.const_value.numpy().astype(np.float16).astype(np.float32)
    value.const_value = ir.tensor(rounded, name=value.name)


def _is_size(node: ir.Node, index: int) -> bool:
    return node.op_type in _GEOMETRY and index > 0


def _round(value: ir.Value, writer: NodeWriter) -> None:
    users = [use for use in value.uses() if not _is_size(use.node, use.idx)]
    rounded = writer.half(value)
    for use in users:
        use.node.replace_input_with(use.idx, rounded)
    graph = value.graph
    if value.producer() is not None:
        value.name, rounded.name = rounded.name, value.name
        rounded.shape = value.shape
    if graph is not None and not value.is_graph_input():
        for index, output in enumerate(graph.outputs):
            if output is value:
                graph.outputs[index] = rounded
