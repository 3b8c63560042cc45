"""AscendQuant, AscendDequant and AscendAntiQuant in standard operators, as a profile computes them.

AscendQuant gives int8, and beside it the same integers without their offset in float32: what moves them on or sums them
works on these, and zero is the padding.  QuantizeLinear and DequantizeLinear with a step of 1 round to even, saturate,
add and subtract the offset.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

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
    """What AscendQuant gives: int8, and the same without offset in float32."""
    assert quant.inputs[0] is not None
    x = writer.cast(quant.inputs[0], ir.DataType.FLOAT)
    offset = quant.attributes["offset"].as_float()
    zero_point = np.int8(offset)
    scaled = _scaled_half(writer, x, quant) if profile.half else _scaled(writer, x, quant)
    if profile.half:
        scaled = writer.half(writer.op("Add", scaled, np.float32(offset)))
    if profile.ties == "away":
        scaled = _away(writer, scaled)
    added = np.int8(0) if profile.half else zero_point
    integers = writer.op("QuantizeLinear", scaled, _ONE, added, dtype=ir.DataType.INT8)
    return integers, writer.op("DequantizeLinear", integers, _ONE, zero_point, dtype=ir.DataType.FLOAT)


def dequantised(writer: NodeWriter, layer: Layer, accumulator: ir.Value, profile: Profile) -> ir.Value:
    """What AscendDequant makes of an accumulator, given in float32 or int32."""
    result, attributes = writer.cast(accumulator, ir.DataType.FLOAT), layer.dequant.attributes
    scale = unpack(array(layer.dequant.inputs[1]).reshape(-1) & np.uint64(profile.deq_scale_mask))
    for _ in range(2 if attributes.get_int("sqrt_mode", 0) else 1):
        result = writer.op("Mul", result, along_output(layer, scale))
    return finished(writer, layer.dequant, result, profile)


def returned(writer: NodeWriter, node: ir.Node, integers: ir.Value, profile: Profile) -> ir.Value:
    """What AscendAntiQuant makes of integers without offset."""
    scale = np.float32(node.attributes["scale"].as_float())
    for _ in range(2 if node.attributes.get_int("sqrt_mode", 0) else 1):
        integers = writer.op("Mul", integers, _half(scale) if profile.half else scale)
    return finished(writer, node, integers, profile)


def finished(writer: NodeWriter, node: ir.Node, result: ir.Value, profile: Profile) -> ir.Value:
    """The last steps of an operator that gives floating point: float16, Relu, the type it is to have."""
    if profile.half:
        result = writer.half(result)
    if node.op_type == DEQUANT and node.attributes.get_int("relu_flag", 0) == 1:
        result = writer.op("Relu", result)
    half = node.attributes.get_int("dtype", 0) == 1
    return writer.cast(result, ir.DataType.FLOAT16 if half else ir.DataType.FLOAT)


def _scaled(writer: NodeWriter, x: ir.Value, quant: ir.Node) -> ir.Value:
    scale = np.float32(quant.attributes["scale"].as_float())
    for _ in range(2 if quant.attributes.get_int("sqrt_mode", 0) else 1):
        x = writer.op("Mul", x, scale)
    return x


def _scaled_half(writer: NodeWriter, x: ir.Value, quant: ir.Node) -> ir.Value:
    scale = np.float32(quant.attributes["scale"].as_float())
    rooted = bool(quant.attributes.get_int("sqrt_mode", 0))
    if not rooted and not _HALF_SCALES[0] <= scale <= _HALF_SCALES[1]:
        scale, rooted = np.sqrt(scale), True
    for _ in range(2 if rooted else 1):
        x = writer.half(writer.op("Mul", x, _half(scale)))
    return x


def _half(scale: np.float32) -> np.float32:
    return np.float32(np.float16(scale))


def _away(writer: NodeWriter, x: ir.Value) -> ir.Value:
    magnitude = writer.op("Floor", writer.op("Add", writer.op("Abs", x), _BELOW_HALF))
    return writer.op("Mul", writer.op("Sign", x), magnitude)
