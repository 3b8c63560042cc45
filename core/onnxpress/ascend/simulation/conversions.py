"""AscendQuant, AscendDequant and AscendAntiQuant in standard operators, as a profile computes them.

AscendQuant gives int8, and beside it the same integers without their offset in float32: what moves them on or sums them
works on these, and zero is the padding.  QuantizeLinear and DequantizeLinear with a step of 1 round to even, saturate,
add and subtract the offset.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from onnxpress.ascend.layers import Layer, array
from onnxpress.ascend.operators import DEQUANT, unpack
from onnxpress.ascend.simulation.node_writing import NodeWriter
from onnxpress.ascend.simulation.profiles import Profile
from onnxpress.ascend.simulation.weight_axes import along_output

_ONE = np.float32(1)
_HALF_SCALES = (2.0**-14, 65504.0)
"""Normal float16: GE stores the root of a scale outside, and multiplies by it twice."""

_BELOW_HALF = np.nextafter(np.float32(0.5), np.float32(0))
"""Added to a magnitude whose fraction is then dropped; one half itself would bring 0.49999997 to 1."""


def quantised(writer: NodeWriter, quant: ir.Node, profile: Profile) -> tuple[ir.Value, ir.Value]:
    """What AscendQuant gives: int8, and the same without offset in float32.

    Under a profile of float16, its input is one that float16 holds (`half_storage`).
    """
    assert quant.inputs[0] is not None
    x = writer.cast(quant.inputs[0], ir.DataType.FLOAT)
    offset = np.float32(quant.attributes["offset"].as_float())
    scale, twice = _scale(quant), _is_root(quant)
    if profile.half and not twice and not _HALF_SCALES[0] <= scale <= _HALF_SCALES[1]:
        scale, twice = np.sqrt(scale), True
    x, added = _times(writer, x, scale, twice=twice, half=profile.half), np.int8(offset)
    if profile.half:
        x, added = writer.half(writer.op("Add", x, offset)), np.int8(0)
    if profile.ties == "away":
        x = _away(writer, x)
    integers = writer.op("QuantizeLinear", x, _ONE, added, dtype=ir.DataType.INT8)
    return integers, writer.op("DequantizeLinear", integers, _ONE, np.int8(offset), dtype=ir.DataType.FLOAT)


def dequantised(writer: NodeWriter, layer: Layer, accumulator: ir.Value, profile: Profile) -> ir.Value:
    """What AscendDequant makes of an accumulator, given in float32 or int32."""
    words = array(layer.dequant.inputs[1]).reshape(-1)
    scale = along_output(layer, unpack(words & np.uint64(profile.deq_scale_mask)))
    result = _times(writer, writer.cast(accumulator, ir.DataType.FLOAT), scale, twice=_is_root(layer.dequant))
    return finished(writer, layer.dequant, writer.half(result) if profile.half else result)


def returned(writer: NodeWriter, node: ir.Node, integers: ir.Value, profile: Profile) -> ir.Value:
    """What AscendAntiQuant makes of integers without offset."""
    return finished(writer, node, _times(writer, integers, _scale(node), twice=_is_root(node), half=profile.half))


def finished(writer: NodeWriter, node: ir.Node, result: ir.Value) -> ir.Value:
    """The last steps of an operator that gives floating point: Relu, and the type that it is to have."""
    if node.op_type == DEQUANT and node.attributes.get_int("relu_flag", 0) == 1:
        result = writer.op("Relu", result)
    half = node.attributes.get_int("dtype", 0) == 1
    return writer.cast(result, ir.DataType.FLOAT16 if half else ir.DataType.FLOAT)


def _scale(node: ir.Node) -> np.float32:
    return np.float32(node.attributes["scale"].as_float())


def _is_root(node: ir.Node) -> bool:
    """Whether the node stores the root of its scale, and multiplies by it twice."""
    return node.attributes.get_int("sqrt_mode", 0) == 1


def _times(
    writer: NodeWriter, x: ir.Value, scale: NDArray[np.float32] | np.float32, *, twice: bool, half: bool = False
) -> ir.Value:
    factor = np.asarray(scale).astype(np.float16).astype(np.float32) if half else scale
    for _ in range(1 + twice):
        x = writer.op("Mul", x, factor)
        x = writer.half(x) if half else x
    return x


def _away(writer: NodeWriter, x: ir.Value) -> ir.Value:
    magnitude = writer.op("Floor", writer.op("Add", writer.op("Abs", x), _BELOW_HALF))
    return writer.op("Mul", writer.op("Sign", x), magnitude)
