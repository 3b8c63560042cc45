"""Constant operands: what counts as one, and how a pass gives a node a new one.

A constant is an initialiser that the caller cannot override (it is no graph input) or the output of a Constant node.
A node that is given new numbers keeps its initialiser when nobody else uses it, and gets one of its own otherwise:
a weight that two layers share is copied, never modified under the other's feet.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx_ir as ir

from onnxpress.naming import Names

if TYPE_CHECKING:
    from numpy.typing import NDArray


def constant(value: ir.Value | None) -> ir.TensorProtocol | None:
    """The tensor behind `value`, None when it is computed or can be overridden by the caller."""
    if value is None or value.is_graph_input():
        return None
    if value.is_initializer():
        return value.const_value
    maker = value.producer()
    return _written(maker) if maker is not None and maker.op_type == "Constant" and maker.domain == "" else None


def _written(node: ir.Node) -> ir.TensorProtocol | None:
    """What a Constant node holds; None for text and sparse tensors."""
    (attribute,) = node.attributes.values()
    if attribute.name == "value":
        tensor = attribute.as_tensor()
        return None if tensor.dtype == ir.DataType.STRING else tensor
    dtype = {"value_float": "float32", "value_int": "int64"}.get(attribute.name.removesuffix("s"))
    return None if dtype is None else ir.tensor(np.array(attribute.value, dtype))


def array(value: ir.Value | None) -> NDArray[Any] | None:
    """`constant` as a numpy array; memory-mapped when it is external data."""
    tensor = constant(value)
    return None if tensor is None else tensor.numpy()


def initializer(graph: ir.Graph, name: str, numbers: NDArray[np.generic]) -> ir.Value:
    """A new initialiser of `graph`; `name` must be fresh."""
    tensor = ir.tensor(numbers, name=name)
    value = ir.Value(name=name, type=ir.TensorType(tensor.dtype), shape=ir.Shape(numbers.shape), const_value=tensor)
    graph.register_initializer(value)
    return value


def become(value: ir.Value, numbers: NDArray[np.generic]) -> None:
    """Let an initialiser of the same name take the place of a computed value; its node is left without users."""
    assert value.graph is not None and value.name is not None
    value.replace_all_uses_with(initializer(value.graph, value.name, numbers))


def give(node: ir.Node, index: int, numbers: NDArray[np.generic], names: Names, *, wish: str) -> None:
    """Make `numbers` input `index` of `node`; a new initialiser is called `wish`, or a variation of it."""
    if len(node.inputs) <= index:
        node.resize_inputs(index + 1)
    old = node.inputs[index]
    if old is not None and old.is_initializer() and not old.is_graph_output() and len(old.uses()) == 1:
        old.const_value = ir.tensor(numbers, name=old.name)
        old.shape = ir.Shape(numbers.shape)
        return
    assert node.graph is not None
    node.replace_input_with(index, initializer(node.graph, names.fresh(wish), numbers))
    if old is not None:
        drop_if_unused(old)


def drop_if_unused(value: ir.Value) -> None:
    """Remove a constant from its graph if nothing uses it any more."""
    graph = value.graph
    if graph is None or value.uses() or value.is_graph_output() or constant(value) is None:
        return
    maker = value.producer()
    if maker is not None:
        graph.remove(maker, safe=True)
    elif value.name is not None:
        del graph.initializers[value.name]


def remove(nodes: Sequence[ir.Node]) -> None:
    """Remove nodes of one graph that nothing uses, and the constants that only they used."""
    graph = nodes[0].graph
    assert graph is not None
    operands = [value for node in nodes for value in node.inputs if value is not None]
    graph.remove(nodes, safe=True)
    for value in dict.fromkeys(operands):
        drop_if_unused(value)
