"""Depth to space and back.  Channels last, TensorFlow's order of a block's elements is ONNX's DCR; CRD permutes it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from onnxpress_backends.tensorflow.call import Call, Rule
from onnxpress_backends.tensorflow.dtypes import DType
from onnxpress_backends.tensorflow.layouts import channels_last
from onnxpress_backends.tensorflow.values import Laid


def depth_to_space(call: Call) -> Laid:
    """Channels become blocks of elements."""
    tensor, block = call.tensor(0, channels_last(4)), call.attribute("blocksize")
    if call.attribute("mode", "DCR") == "CRD":
        channels = _channels(call)
        order = np.arange(channels).reshape(channels // block**2, block**2).T
        tensor = call.emit("GatherV2", tensor, call.const(order.reshape(-1), DType.INT32), call.const(3, DType.INT32))
    return Laid(call.emit("DepthToSpace", tensor, block_size=block), channels_last(4))


def space_to_depth(call: Call) -> Laid:
    """Blocks of elements become channels."""
    tensor, block = call.tensor(0, channels_last(4)), call.attribute("blocksize")
    result = call.emit("SpaceToDepth", tensor, block_size=block)
    if call.attribute("mode", "DCR") == "CRD":
        channels = _channels(call)
        order = np.arange(channels * block**2).reshape(block**2, channels).T
        result = call.emit("GatherV2", result, call.const(order.reshape(-1), DType.INT32), call.const(3, DType.INT32))
    return Laid(result, channels_last(4))


def _channels(call: Call) -> int:
    channels = call.shape(0)[1]
    if channels is None:
        call.refuse("mode CRD needs the number of channels to be known")
    return channels


RULES: Mapping[str, Rule] = {
    "DepthToSpace": depth_to_space,
    "SpaceToDepth": space_to_depth,
}
