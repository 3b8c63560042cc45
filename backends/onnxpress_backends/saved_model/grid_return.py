"""Ranges that were tuned become scales and zero points of the ONNX model, as TensorFlow's FakeQuant computes them.

A constant that others read too is left to them, and the nodes in question get one of their own.  The scale of a stored
bias is the product of the scales of what it is added to: kernels rely on it, so it follows them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx_ir as ir

from onnxpress.errors import InvalidModel
from onnxpress_backends.saved_model.checkpoints import Checkpoint
from onnxpress_backends.saved_model.weight_map import HeldRange
from onnxpress_backends.tensorflow.quantization.fake_quantization import FakeRange

if TYPE_CHECKING:
    from numpy.typing import NDArray

SCALE, ZERO_POINT = 1, 2
_OPS = ("QuantizeLinear", "DequantizeLinear")


def return_grids(model: ir.Model, ranges: Iterable[HeldRange], checkpoint: Checkpoint) -> None:
    """Give `model` the scales and zero points of `ranges`; changes it.

    Raises:
        InvalidModel: The model has no such grid, or a range is empty.
    """
    biases = list(_biases(model.graph))
    for held in ranges:
        nodes = _nodes(model.graph, held)
        if not nodes:
            raise InvalidModel(
                f"no node of the model reads the scale {held.scale!r}, which the SavedModel was written with; "
                "give the model that it was written from"
            )
        _return(model.graph, nodes, held, checkpoint)
    for bias in biases:
        _give(model.graph, [bias.node], SCALE, bias.product())


def _return(graph: ir.Graph, nodes: Sequence[ir.Node], held: HeldRange, checkpoint: Checkpoint) -> None:
    scale, zero_point = constant(nodes[0], SCALE), constant(nodes[0], ZERO_POINT)
    limits = np.iinfo(np.uint8 if zero_point is None else zero_point.dtype)
    maximum = checkpoint.read(held.maximum)
    minimum = checkpoint.read(held.minimum) if held.minimum is not None else maximum * np.float32(held.factor)
    if not (np.isfinite(maximum - minimum) & (maximum > minimum)).all():
        raise InvalidModel(f"the range of the scale {held.scale!r} is empty or not finite; train with a smaller step")
    tuned = FakeRange(minimum=minimum, maximum=maximum, bits=limits.bits, narrow=held.narrow)
    new_scale, origin = tuned.nudged()
    assert scale is not None
    if (np.abs(new_scale.reshape(scale.shape) - scale) > np.spacing(scale)).any():
        _give(graph, nodes, SCALE, new_scale)
    if held.minimum is not None and zero_point is not None:
        _give(graph, nodes, ZERO_POINT, (origin + limits.min).astype(zero_point.dtype))


def _nodes(graph: ir.Graph, held: HeldRange) -> list[ir.Node]:
    """Those that read the grid, and the DequantizeLinears behind them, whose grid is the same."""
    found: dict[ir.Node, None] = {}
    for node in graph:
        if node.op_type in _OPS and _name(node, SCALE) == held.scale and _name(node, ZERO_POINT) == held.zero_point:
            behind = [use.node for use in node.outputs[0].uses()] if node.op_type == "QuantizeLinear" else []
            found |= dict.fromkeys([node, *(each for each in behind if each.op_type == "DequantizeLinear")])
    return list(found)


def _name(node: ir.Node, index: int) -> str | None:
    value = node.inputs[index] if index < len(node.inputs) else None
    return None if value is None else value.name


def constant(node: ir.Node, index: int) -> NDArray[Any] | None:
    """An input that is known."""
    value = node.inputs[index] if index < len(node.inputs) else None
    tensor = None if value is None else ir.convenience.get_const_tensor(value)
    return None if tensor is None else tensor.numpy()


def _give(graph: ir.Graph, nodes: Sequence[ir.Node], index: int, array: NDArray[Any]) -> None:
    """Let an input of `nodes` be `array`, in the shape of what it was."""
    for value in dict.fromkeys(node.inputs[index] for node in nodes if index < len(node.inputs)):
        known = None if value is None else ir.convenience.get_const_tensor(value)
        if value is None or known is None:
            continue
        tensor = ir.Tensor(np.ascontiguousarray(array.reshape(known.shape.numpy())), name=value.name)
        if value.is_initializer() and all(use.node in nodes for use in value.uses()):
            value.const_value = tensor
            continue
        own = _initializer(graph, tensor)
        for node in nodes:
            if node.inputs[index] is value:
                node.replace_input_with(index, own)


def _initializer(graph: ir.Graph, tensor: ir.Tensor[Any]) -> ir.Value:
    taken = {value.name for node in graph for value in (*node.inputs, *node.outputs) if value is not None}
    count = 0
    while (name := f"{tensor.name}_tuned_{count}") in taken:
        count += 1
    tensor.name = name
    value = ir.Value(name=name, const_value=tensor, shape=ir.Shape(tensor.shape), type=ir.TensorType(tensor.dtype))
    graph.register_initializer(value)
    return value


@dataclass(frozen=True)
class _Bias:
    """A stored bias whose scale is the product of two others.

    Attributes:
        node: The DequantizeLinear of the bias.
        factors: The DequantizeLinears of what it is added to.
    """

    node: ir.Node
    factors: tuple[ir.Node, ...]

    def product(self) -> NDArray[np.float32]:
        """The product of the scales, one number per channel if one of them has that."""
        left, right = (constant(factor, SCALE) for factor in self.factors)
        assert left is not None and right is not None
        product: NDArray[np.float32] = np.asarray(left * right, np.float32)
        return product


def _biases(graph: ir.Graph) -> Iterator[_Bias]:
    for node in graph:
        makers = [None if value is None else value.producer() for value in node.inputs[:3]]
        known = [maker for maker in makers if maker is not None and maker.op_type == "DequantizeLinear"]
        if len(known) == 3 and all(constant(maker, SCALE) is not None for maker in known):
            bias = _Bias(known[2], (known[0], known[1]))
            scale, product = constant(bias.node, SCALE), bias.product()
            assert scale is not None
            if scale.size == product.size and np.allclose(scale.reshape(-1), product.reshape(-1), rtol=1e-5, atol=0):
                yield bias
