"""The bias of a layer in int32, on the grid of its accumulator.

    b_q = rint(b / deq_scale)          deq_scale = fl32(scale_d * scale_w[c])

A bias that is stored on that very grid keeps its integers.  Where a bias would leave no room in 32 bits for the
products, of at most 2**15 each, the channel's scale_w is raised until it does, and its weights are rounded to the
coarser grid: next to such a bias they hardly count.  The same where a scale_w is below the least one that Ascend knows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx_ir as ir

from onnxpress.ascend.operators import SMALLEST_SCALE
from onnxpress_backends.ascend.moving import constant
from onnxpress_backends.ascend.steps import dequantizes, grid
from onnxpress_backends.ascend.stored_integers import integers_of, source_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

_PRODUCT = 2**15
"""No product of two int8, even with an offset of 128 taken off, is larger."""

_FEWEST = 2**30
"""What a bias may always have."""


def read_bias(value: ir.Value | None) -> NDArray[np.float64] | None:
    """The numbers of a constant bias, quantised or not, any shape; None where they are computed.

    Raises:
        InvalidModel: A scale is not positive and finite.
        UnsupportedModel: Its scale is computed or in blocks, or it is no pair with its QuantizeLinear.
    """
    node = value.producer() if value is not None else None
    if node is None or not dequantizes(node):
        numbers = constant(value)
        return None if numbers is None else numbers.astype(np.float64)
    if source_of(node) is None:
        return None
    found = grid(node)
    scale, zero_point = found.parameters
    stored: NDArray[np.float64] = integers_of(node, found).astype(np.float64)
    return np.asarray((stored - zero_point) * scale.astype(np.float64))


def bias_source(value: ir.Value) -> ir.Value:
    """The constant behind a bias for which `read_bias` gives numbers."""
    node = value.producer()
    return (source_of(node) if node is not None and dequantizes(node) else None) or value


def least_scales(
    bias: NDArray[np.float64] | None, activation_scale: np.float32, taps: int, channels: int
) -> NDArray[np.float32]:
    """The least scale_w of each channel: what Ascend knows, and what leaves room for the bias.

    Args:
        bias: One for each output channel.
        activation_scale: The scale_d of the layer.
        taps: Products in one sum.
        channels: Output channels.

    Returns:
        Shape ``(channels,)``.
    """
    least = np.full(channels, SMALLEST_SCALE, np.float32)
    if bias is None:
        return least
    most = max(2**31 - 1 - _PRODUCT * taps, _FEWEST)
    needed = np.abs(bias) / (most * np.float64(activation_scale))
    return np.maximum(least, np.nextafter(needed.astype(np.float32), np.float32(np.inf)))


def integers(bias: NDArray[np.float64], deq_scale: NDArray[np.float32]) -> NDArray[np.int32]:
    """The bias on the grid of the accumulator, shape ``(channels,)``."""
    return np.rint(bias / deq_scale.astype(np.float64)).astype(np.int32)
