"""A node of a graph as a layer to split, and the stack of smaller nodes in its place.

    layer = layer_of(node)                            what it is: operator, shape, strides, padding
    stack = Stack(layer=layer, form="spatial", first_axes=(0,), ranks=(32,))
    rewrite(node, stack, spatial(kernel_of(node), 32), names=Names(model))

The node itself becomes the last of the stack, so that its output, its bias, and whatever else is written on it stay
what they were; the others are put before it, in the graph or subgraph that it is in.  Nodes and weights are called

    <layer>/decom_first    <layer>/decom_core (Tucker-2)    <layer>/decom_last    and <node>/weight, <node>/bias

Weights are arranged as the layer's weight was: a MatMul, and a Gemm without ``transB``, has inputs first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx_ir as ir

from onnxpress.constants import constant, drop_if_unused, initializer
from onnxpress.decomposition.layer_stacks import OPERATORS, Layer, Part, Stack
from onnxpress.errors import UnsupportedModel
from onnxpress.naming import Names, described, title

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.floating[Any]]

_OF_THE_LAST = ("alpha", "beta")
_OF_THE_FIRST = ("transA",)


def is_layer(node: ir.Node) -> bool:
    """Whether a node has an operator that can be split."""
    return node.domain == "" and node.op_type in OPERATORS


def layer_of(node: ir.Node) -> Layer:
    """`node` as a layer that can be split.

    Raises:
        UnsupportedModel: It is none: another operator, grouped, or without a constant float weight.
    """
    if not is_layer(node):
        raise UnsupportedModel(f"{described(node)} is no {', '.join(OPERATORS[:-1])} or {OPERATORS[-1]}")
    if node.attributes.get_int("group", 1) != 1:
        raise UnsupportedModel(f"{described(node)} has groups, which no stack can have")
    weight = kernel_of(node)
    axes, (value, bias) = weight.ndim - 2, (*node.inputs[1:3], None)[:2]
    return Layer(
        name=title(node),
        operator=next(operator for operator in OPERATORS if operator == node.op_type),
        weight="" if value is None or value.name is None else value.name,
        weight_shape=weight.shape,
        strides=tuple(node.attributes.get_ints("strides", (1,) * axes)),
        pads=tuple(node.attributes.get_ints("pads", (0,) * axes * 2)),
        dilations=tuple(node.attributes.get_ints("dilations", (1,) * axes)),
        auto_pad=node.attributes.get_string("auto_pad", "NOTSET"),
        bias="" if bias is None or bias.name is None else bias.name,
        inputs_first=_inputs_first(node),
    )


def kernel_of(node: ir.Node) -> Array:
    """The weight of a layer as ``(outputs, inputs, *kernel)``: a view of its numbers, memory-mapped where they are.

    Raises:
        UnsupportedModel: It is no float constant, or a batch of matrices.
    """
    tensor = constant(node.inputs[1] if len(node.inputs) > 1 else None)
    if tensor is None or not tensor.dtype.is_floating_point():
        raise UnsupportedModel(f"{described(node)} has a weight that is no float constant")
    if node.op_type != "Conv" and len(tensor.shape) != 2:
        raise UnsupportedModel(f"{described(node)} multiplies by {len(tensor.shape)} dimensions, not by a matrix")
    return arranged(node, tensor.numpy())


def arranged(node: ir.Node, weight: Array) -> Array:
    """``(outputs, inputs, *kernel)`` as `node` arranges its weight, or back: both are the same step."""
    return weight.T if _inputs_first(node) else weight


def bias_of(node: ir.Node) -> Array | None:
    """What a layer adds to each output, ``(outputs,)``, in the type of its bias; None if it adds nothing.

    Raises:
        UnsupportedModel: It is computed, or not one number for each output.
    """
    value = node.inputs[2] if len(node.inputs) > 2 else None
    if value is None:
        return None
    tensor, outputs = constant(value), kernel_of(node).shape[0]
    if tensor is None or tensor.size not in (1, outputs) or tensor.size not in (1, *tensor.shape[-1:]):
        raise UnsupportedModel(f"{described(node)} adds something that is not one constant for each output")
    bias = tensor.numpy().reshape(-1)
    beta = node.attributes.get_float("beta", 1.0)
    return np.broadcast_to((bias * beta).astype(bias.dtype), (outputs,))


def rewrite(node: ir.Node, stack: Stack, weights: Sequence[Array], *, names: Names, bias: Array | None = None) -> None:
    """Put a stack in the place of a layer.

    Args:
        node: The layer; it becomes the last part.
        stack: How it is split; its layer is ``layer_of(node)``, though it may have another name.
        weights: Of every part, ``(outputs, inputs, *kernel)``, in the type of the layer's weight.
        names: The names of the model; those of the stack are added.
        bias: What the last part adds in place of what the layer added, ``(outputs,)``, if ``stack.new_bias``.

    Raises:
        UnsupportedModel: The model has a name that the stack needs, a weight has another shape than its part, or a
            MatMul, which adds nothing, gets a bias.
    """
    assert node.graph is not None and stack.new_bias == (bias is not None)
    parts = stack.parts
    _check(node, parts, weights, bias)
    _claim([name for part in parts for name in (part.name, part.weight)] + [stack.bias] * stack.new_bias, names)
    replaced, data = [node.inputs[1]], node.inputs[0]
    for part, weight in zip(parts[:-1], weights[:-1], strict=True):
        made = _inner(node, part, data, weight)
        node.graph.insert_before(node, made)
        data = made.outputs[0]
    last = parts[-1]
    node.name = last.name
    node.replace_input_with(0, data)
    node.replace_input_with(1, _initializer(node, last.weight, arranged(node, weights[-1])))
    if bias is not None:
        node.resize_inputs(3)
        replaced.append(node.inputs[2])
        node.replace_input_with(2, _initializer(node, last.bias, bias))
        node.attributes.pop("beta", None)
    _set_attributes(node, last, without=_OF_THE_FIRST)
    for value in filter(None, replaced):
        drop_if_unused(value)


def _inputs_first(node: ir.Node) -> bool:
    return node.op_type == "MatMul" or (node.op_type == "Gemm" and not node.attributes.get_int("transB", 0))


def _check(node: ir.Node, parts: Sequence[Part], weights: Sequence[Array], bias: Array | None) -> None:
    for part, weight in zip(parts, weights, strict=True):
        if weight.shape != part.weight_shape:
            shapes = f"{list(part.weight_shape)}, not {list(weight.shape)}"
            raise UnsupportedModel(f"{part.name!r} has a weight of shape {shapes} (outputs, inputs, kernel)")
    if bias is not None and node.op_type == "MatMul":
        raise UnsupportedModel(f"{described(node)} adds no bias; correct what is added behind it")


def _claim(wanted: Sequence[str], names: Names) -> None:
    for name in wanted:
        if names.fresh(name) != name:
            raise UnsupportedModel(f"the model already has something called {name!r}; rename it")


def _inner(node: ir.Node, part: Part, data: ir.Value | None, weight: Array) -> ir.Node:
    """A part that is not the last."""
    hidden = ir.Value(name=part.name, type=node.outputs[0].type, shape=_shape(node, part))
    made = ir.Node(
        node.domain,
        node.op_type,
        [data, _initializer(node, part.weight, arranged(node, weight))],
        list(node.attributes.values()),
        outputs=[hidden],
        name=part.name,
        metadata_props=dict(node.metadata_props),
    )
    _set_attributes(made, part, without=_OF_THE_LAST)
    return made


def _shape(node: ir.Node, part: Part) -> ir.Shape | None:
    """What a part that is not the last gives, where shapes are known: the final size of each axis that it has."""
    data, output = node.inputs[0], node.outputs[0].shape
    if output is None or data is None or data.shape is None:
        return None
    if node.op_type != "Conv":
        return ir.Shape([*output[:-1], part.weight_shape[0]])
    sizes = [(output if axis in part.axes else data.shape)[axis + 2] for axis in range(len(part.strides))]
    return ir.Shape([output[0], part.weight_shape[0], *sizes])


def _set_attributes(node: ir.Node, part: Part, *, without: Sequence[str]) -> None:
    for name in without:
        node.attributes.pop(name, None)
    if node.op_type != "Conv":
        return
    wanted = {"kernel_shape": part.weight_shape[2:], "strides": part.strides, "dilations": part.dilations}
    if part.pads is not None and node.attributes.get_string("auto_pad", "NOTSET") == "NOTSET":
        wanted["pads"] = part.pads
    for name, values in wanted.items():
        node.attributes.add(ir.AttrInt64s(name, values))


def _initializer(node: ir.Node, name: str, numbers: Array) -> ir.Value:
    assert isinstance(node.graph, ir.Graph)
    return initializer(node.graph, name, np.ascontiguousarray(numbers))
