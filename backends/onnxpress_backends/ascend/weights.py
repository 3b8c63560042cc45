"""The weight of a layer as Ascend wants it: int8, symmetric, with one scale or one for each output channel.

A weight stands in the graph as integers before a DequantizeLinear, or as floats before QuantizeLinear and
DequantizeLinear (quantisation-aware training in PyTorch), and between all these and the layer may be operators that
move its numbers (PyTorch turns channels to the front, tf2onnx turns TensorFlow's order into ONNX's).  uint8 with zero
point 128 is int8 with zero point 0.  Where the scale goes along another axis than the output channels, or the zero
point is not in the middle, no AscendDequant could undo it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx_ir as ir

from onnxpress.errors import UnsupportedModel
from onnxpress_backends.ascend.moving import followed, is_move
from onnxpress_backends.ascend.steps import dequantizes, grid, middle_of, title
from onnxpress_backends.ascend.stored_integers import integers_of, source_of

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, eq=False)
class Weight:
    """A weight in the order of its layer.

    Attributes:
        source: The constant that it is made from; layers that share it share the numbers.
        integers: int8, the shape of the layer's weight.
        scales: float32, shape ``(1,)`` or ``(output channels,)``.
    """

    source: ir.Value
    integers: NDArray[np.int8]
    scales: NDArray[np.float32]

    def raised(self, least: NDArray[np.float32], axis: int, groups: int) -> Weight:
        """The weight on a coarser grid where its scale is below `least`, shape ``(output channels,)``."""
        scales = np.maximum(self.scales, least)
        if (scales == self.scales).all():
            return self
        channels = np.broadcast_to(self.scales, scales.shape).astype(np.float64) / scales
        of_channels = _grouped(self.integers, axis, groups)
        integers = np.rint(of_channels * channels.reshape(groups, 1, -1, 1)).astype(np.int8)
        return replace(self, integers=integers.reshape(self.integers.shape), scales=scales)


def is_quantized_weight(value: ir.Value | None) -> bool:
    """Whether `value` is a constant that is dequantised, moved perhaps on the way."""
    node = value.producer() if value is not None else None
    if value is None or node is None:
        return False
    return is_quantized_weight(node.inputs[0]) if is_move(node) else dequantizes(node) and source_of(node) is not None


def read_weight(layer: ir.Node, axis: int, groups: int) -> Weight:
    """Input 1 of `layer`, for which `is_quantized_weight` holds.

    Args:
        layer: The operator.
        axis: Its weight's axis of output channels, of one group.
        groups: How often that axis is there, one behind the other on axis 0.

    Raises:
        InvalidModel: A scale is not positive and finite.
        UnsupportedModel: The weight is asymmetric, not of 8 bits, or its scales do not go along the output channels.
    """
    value = layer.inputs[1]
    assert value is not None
    source, integers, scales = _numbers(value, layer)
    if scales.size > 1 and scales.shape[axis] == scales.size:
        scales = np.tile(scales.reshape(-1), groups)
    elif scales.size > 1:
        of_channels = _grouped(np.broadcast_to(scales, integers.shape), axis, groups)
        scales = of_channels[:, 0, :, 0]
        if (of_channels != scales[:, np.newaxis, :, np.newaxis]).any():
            raise UnsupportedModel(
                f"{title(layer)} has a weight whose scales do not go along its output channels, and Ascend has no "
                "others; quantise it along them, or with one scale"
            )
    return Weight(source=source, integers=integers, scales=scales.reshape(-1))


def _numbers(value: ir.Value, layer: ir.Node) -> tuple[ir.Value, NDArray[np.int8], NDArray[np.float32]]:
    """The constant behind `value`, its integers, and their scales, which broadcast to them."""
    node = value.producer()
    assert node is not None
    if dequantizes(node):
        return _stored(node, layer)
    assert node.inputs[0] is not None
    source, integers, scales = _numbers(node.inputs[0], layer)
    result = followed(node, integers)
    if scales.size == 1:
        return source, result, scales.reshape((1,) * result.ndim)
    spread = scales if node.op_type in ("Transpose", "Identity") else np.broadcast_to(scales, integers.shape)
    return source, result, followed(node, spread)


def _stored(node: ir.Node, layer: ir.Node) -> tuple[ir.Value, NDArray[np.int8], NDArray[np.float32]]:
    source, found = source_of(node), grid(node)
    assert source is not None
    zero_point, axis = found.zero_point, found.axis
    middle = middle_of(zero_point.dtype, node)
    if (zero_point != middle).any():
        raise UnsupportedModel(
            f"{title(layer)} has an asymmetric weight ({title(node)} has zero point {zero_point.flat[0]}); "
            "Ascend multiplies with symmetric ones, quantise it with zero point 0"
        )
    numbers = integers_of(node, found)
    if middle:
        numbers = (numbers ^ np.uint8(middle)).view(np.int8)
    shape = [-1 if axis is not None and index == axis % numbers.ndim else 1 for index in range(numbers.ndim)]
    return source, numbers, found.scale.reshape(shape)


def _grouped(numbers: NDArray[Any], axis: int, groups: int) -> NDArray[Any]:
    """Numbers by group, what comes before the output channels, output channel of the group, and the rest."""
    axis %= numbers.ndim
    before = math.prod(numbers.shape[:axis]) // groups
    return numbers.reshape(groups, before, numbers.shape[axis], -1)
