"""Pooling over windows and over whole images, channels last."""

from __future__ import annotations

from collections.abc import Mapping

from onnxpress_backends.tensorflow.call import Call, Rule
from onnxpress_backends.tensorflow.dtypes import DType
from onnxpress_backends.tensorflow.layouts import channels_last
from onnxpress_backends.tensorflow.values import Laid
from onnxpress_backends.tensorflow.windows import padded, window


def max_pool(call: Call) -> Laid:
    """MaxPool of two spatial axes; pads hold minus infinity."""
    shape = call.shape(0)
    slide = window(call, call.attribute("kernel_shape"), shape[2:])
    tensor = call.tensor(0, channels_last(len(shape)))
    if slide.padding == "EXPLICIT":
        tensor = padded(call, tensor, slide.pads, float("-inf"))
    padding = "SAME" if slide.padding == "SAME" else "VALID"
    result = call.emit("MaxPool", tensor, ksize=[1, *slide.kernel, 1], strides=[1, *slide.strides, 1], padding=padding)
    return Laid(result, channels_last(len(shape)))


def average_pool(call: Call) -> Laid:
    """AveragePool of two spatial axes without pads, or with those of SAME."""
    shape = call.shape(0)
    slide = window(call, call.attribute("kernel_shape"), shape[2:])
    tensor = call.tensor(0, channels_last(len(shape)))
    if slide.padding == "EXPLICIT" or (slide.padding == "SAME" and call.attribute("count_include_pad", 0)):
        call.refuse("padding")
    padding = "SAME" if slide.padding == "SAME" else "VALID"
    result = call.emit("AvgPool", tensor, ksize=[1, *slide.kernel, 1], strides=[1, *slide.strides, 1], padding=padding)
    return Laid(result, channels_last(len(shape)))


def global_average_pool(call: Call) -> Laid:
    """The mean over all spatial axes, which stay with size 1."""
    rank = call.rank(0)
    layout = channels_last(rank)
    axes = call.const(range(1, rank - 1), DType.INT32)
    return Laid(call.emit("Mean", call.tensor(0, layout), axes, keep_dims=True), layout)


RULES: Mapping[str, Rule] = {
    "AveragePool": average_pool,
    "GlobalAveragePool": global_average_pool,
    "MaxPool": max_pool,
}
