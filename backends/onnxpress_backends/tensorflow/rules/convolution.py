"""Convolutions, channels last: ONNX's kernels OIHW are HWIO here, those of depthwise convolutions HWIM."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from onnxpress_backends.tensorflow.call import Call, Rule
from onnxpress_backends.tensorflow.dtypes import DType
from onnxpress_backends.tensorflow.graph import Tensor
from onnxpress_backends.tensorflow.layouts import channels_last
from onnxpress_backends.tensorflow.values import Laid
from onnxpress_backends.tensorflow.windows import Window, padded, window


def conv(call: Call) -> Laid:
    """Conv of one to three spatial axes; one is done as two."""
    shape, kernel = call.shape(0), call.sizes(1)
    rank = len(shape)
    if not 3 <= rank <= 5:
        call.refuse("TensorFlow convolves over one to three spatial axes")
    slide = window(call, kernel[2:], shape[2:])
    tensor = call.tensor(0, channels_last(rank))
    if slide.padding == "EXPLICIT":
        tensor = padded(call, tensor, slide.pads)
    result = _convolved(call, tensor, slide)
    if call.has(2):
        result = call.emit("BiasAdd", result, call.tensor(2))
    return Laid(result, channels_last(rank))


def _convolved(call: Call, tensor: Tensor, slide: Window) -> Tensor:
    kernel, group = call.sizes(1), call.attribute("group", 1)
    if len(slide.kernel) == 3:
        return _in_space(call, tensor, slide, group)
    flat = len(slide.kernel) == 1
    if flat:
        tensor = call.emit("ExpandDims", tensor, call.const(1, DType.INT32))
    one = (1,) * flat
    spatial = (*one, *slide.kernel)
    strides = [1, *(slide.strides * (1 + flat)), 1]
    dilations = [1, *one, *slide.dilations, 1]
    padding = "SAME" if slide.padding == "SAME" else "VALID"
    if group > 1 and kernel[1] == 1:
        multiplier = kernel[0] // group
        view = (group, multiplier, *spatial)
        weight = call.weight(1, view, (2, 3, 0, 1), (*spatial, group, multiplier))
        result = _depthwise(call, tensor, weight, strides, padding, dilations)
    else:
        view = (kernel[0], kernel[1], *spatial)
        weight = call.weight(1, view, (2, 3, 1, 0), (*spatial, kernel[1], kernel[0]))
        result = call.emit("Conv2D", tensor, weight, strides=strides, padding=padding, dilations=dilations)
    return call.emit("Squeeze", result, squeeze_dims=[1]) if flat else result


def _depthwise(
    call: Call, tensor: Tensor, weight: Tensor, strides: list[int], padding: str, dilations: list[int]
) -> Tensor:
    return call.emit("DepthwiseConv2dNative", tensor, weight, strides=strides, padding=padding, dilations=dilations)


def _in_space(call: Call, tensor: Tensor, slide: Window, group: int) -> Tensor:
    kernel = call.sizes(1)
    weight = call.weight(1, kernel, (2, 3, 4, 1, 0), (*slide.kernel, kernel[1], kernel[0]))
    strides, dilations = [1, *slide.strides, 1], [1, *slide.dilations, 1]
    padding = "SAME" if slide.padding == "SAME" else "VALID"

    def one(part: Tensor, kernel_part: Tensor) -> Tensor:
        return call.emit("Conv3D", part, kernel_part, strides=strides, padding=padding, dilations=dilations)

    if group == 1:
        return one(tensor, weight)
    parts, kernels = _split(call, tensor, group), _split(call, weight, group)
    axis = call.const(4, DType.INT32)
    return call.emit("ConcatV2", [one(*pair) for pair in zip(parts, kernels, strict=True)], axis)


def _split(call: Call, tensor: Tensor, count: int) -> Sequence[Tensor]:
    node = call.emit_node("Split", call.const(4, DType.INT32), tensor, num_split=count)
    return [Tensor(node, index) for index in range(count)]


RULES: Mapping[str, Rule] = {
    "Conv": conv,
}
