"""Depth to space and back.  Channels last, TensorFlow's order in a block is ONNX's DCR; CRD needs a transposition."""

from __future__ import annotations

from collections.abc import Mapping

from onnxpress_backends.tensorflow.call import Call, Rule
from onnxpress_backends.tensorflow.geometry.terms import Term, reshaped, sizes, term
from onnxpress_backends.tensorflow.graphs.dtypes import DType
from onnxpress_backends.tensorflow.graphs.graph import Tensor
from onnxpress_backends.tensorflow.layout.layouts import channels_last
from onnxpress_backends.tensorflow.layout.values import Laid


def depth_to_space(call: Call) -> Laid:
    """Channels become blocks of elements."""
    tensor, size = call.tensor(0, channels_last(4)), call.attribute("blocksize")
    if call.attribute("mode", "DCR") == "DCR":
        return Laid(call.emit("DepthToSpace", tensor, block_size=size), channels_last(4))
    batch, channels, high, wide = sizes(call, 0)
    block = term(call, size)
    depth = channels // (size * size)
    parts = [batch, high, wide, depth, block, block]
    result = _moved(call, tensor, parts, (0, 1, 4, 2, 5, 3), [batch, high * size, wide * size, depth])
    return Laid(result, channels_last(4))


def space_to_depth(call: Call) -> Laid:
    """Blocks of elements become channels."""
    tensor, size = call.tensor(0, channels_last(4)), call.attribute("blocksize")
    if call.attribute("mode", "DCR") == "DCR":
        return Laid(call.emit("SpaceToDepth", tensor, block_size=size), channels_last(4))
    batch, channels, high, wide = sizes(call, 0)
    block = term(call, size)
    rows, columns, depth = high // size, wide // size, channels * (size * size)
    parts = [batch, rows, block, columns, block, channels]
    result = _moved(call, tensor, parts, (0, 1, 3, 5, 2, 4), [batch, rows, columns, depth])
    return Laid(result, channels_last(4))


def _moved(call: Call, tensor: Tensor, parts: list[Term], perm: tuple[int, ...], shape: list[Term]) -> Tensor:
    order = call.const(perm, DType.INT32)
    return reshaped(call, call.emit("Transpose", reshaped(call, tensor, parts), order), shape)


RULES: Mapping[str, Rule] = {
    "DepthToSpace": depth_to_space,
    "SpaceToDepth": space_to_depth,
}
