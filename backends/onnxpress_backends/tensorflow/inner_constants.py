"""Small constants of the graph around, brought into branches and bodies.

Shape inference looks for the axes of an operator, and the like, in the graph that the operator is in, and there alone.
"""

from __future__ import annotations

import onnx_ir as ir

_LARGEST = 1024
"""Elements of a list of sizes or axes."""


def bring_inside(model: ir.Model) -> None:
    """Give every branch and body a copy of the small integer constants that it uses; changes `model`."""
    names = {value.name for node in model.graph.all_nodes() for value in (*node.inputs, *node.outputs) if value}
    copies: dict[tuple[ir.Graph, ir.Value], ir.Value] = {}
    for node in model.graph.all_nodes():
        graph = node.graph
        if not isinstance(graph, ir.Graph) or graph is model.graph:
            continue
        for index, value in enumerate(node.inputs):
            if value is None or value.graph is graph or (tensor := _integers(value)) is None:
                continue
            if (graph, value) not in copies:
                copies[graph, value] = _copy(graph, value, tensor, names)
            node.replace_input_with(index, copies[graph, value])


def _integers(value: ir.Value) -> ir.TensorProtocol | None:
    tensor = ir.convenience.get_const_tensor(value)
    small = tensor is not None and tensor.size <= _LARGEST and tensor.dtype in (ir.DataType.INT32, ir.DataType.INT64)
    return tensor if small else None


def _copy(graph: ir.Graph, value: ir.Value, tensor: ir.TensorProtocol, names: set[str | None]) -> ir.Value:
    name, count = f"{value.name}/{graph.name or 'inner'}", 0
    while (free := f"{name}_{count}" if count else name) in names:
        count += 1
    names.add(free)
    data = ir.tensor(tensor.numpy(), name=free)
    copy = ir.Value(name=free, type=ir.TensorType(data.dtype), shape=ir.Shape(data.numpy().shape), const_value=data)
    graph.register_initializer(copy)
    return copy
