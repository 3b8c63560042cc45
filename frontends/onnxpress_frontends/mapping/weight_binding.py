"""The weights that stood outside come back as initialisers, in the layout that the graph wants them in.

Where the conversion transposed or reshaped a handle, the array is transposed or reshaped instead, once, in numpy.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import onnx_ir as ir

from onnxpress.rewiring import replace_uses

if TYPE_CHECKING:
    from onnxpress.kinds import Array


def bind(model: ir.Model, weights: dict[str, Array]) -> None:
    """Turn the inputs of `model`, and of its loops and branches, that are handles into initialisers.

    Args:
        model: The converted graph; changed in place.
        weights: Input name without ``:0`` to value; emptied, so that an array that is transposed is not kept twice.
    """
    handles = [(graph, value) for graph in model.graphs() for value in graph.inputs if _weight(value) in weights]
    left = Counter(_weight(value) for _, value in handles)
    for graph, value in handles:
        graph.inputs.remove(value)
        left[_weight(value)] -= 1
        _bind(graph, value, weights[_weight(value)] if left[_weight(value)] else weights.pop(_weight(value)))
    weights.clear()


def _weight(handle: ir.Value) -> str:
    return (handle.name or "").removesuffix(":0")


def _bind(graph: ir.Graph, value: ir.Value, array: Array) -> None:
    """Give `value` its array, and every node that only lays it out anew the laid out array."""
    for user, _ in list(value.uses()):
        array_there = laid_out(user, array)
        if array_there is not None and user.graph is graph and not user.outputs[0].is_graph_output():
            result = ir.Value(name=user.outputs[0].name, type=user.outputs[0].type)
            replace_uses(user.outputs[0], result)
            graph.remove(user, safe=True)
            _bind(graph, result, array_there)
    if value.uses():
        value.const_value = ir.Tensor(array, name=value.name)
        value.shape = ir.Shape(array.shape)
        value.type = ir.TensorType(value.const_value.dtype)
        graph.register_initializer(value)


def laid_out(node: ir.Node, array: Array) -> Array | None:
    """What a node makes of a weight, its first input; None when it does more than lay it out."""
    operands = [None if value is None else ir.convenience.get_const_tensor(value) for value in node.inputs[1:]]
    if any(operand is None for operand in operands):
        return None
    constants = [operand.numpy() for operand in operands if operand is not None]
    if node.op_type == "Identity":
        return array
    if node.op_type == "Transpose":
        perm = node.attributes.get_ints("perm")
        return np.ascontiguousarray(np.transpose(array, perm))
    if node.op_type == "Reshape":
        return array.reshape(_target(array, constants[0]))
    if node.op_type == "Squeeze":
        return np.squeeze(array, axis=tuple(constants[0].tolist()) if constants else None)
    if node.op_type == "Unsqueeze":
        return np.expand_dims(array, axis=tuple(constants[0].tolist()))
    return None


def _target(array: Array, shape: Array) -> tuple[int, ...]:
    """ONNX's 0 copies a size; a weight has no empty axis."""
    return tuple(array.shape[axis] if size == 0 else size for axis, size in enumerate(shape.tolist()))
