"""Convolutions, channels last: ONNX's kernels OIHW are HWIO here, those of depthwise convolutions HWIM.

TensorFlow's kernels for a CPU convolve in groups over two axes, but not over three; a depthwise kernel has one stride
for both axes and no dilation.  What is dilated where that cannot be is done on the picture taken apart into as many
pictures as the window skips (SpaceToBatchND), in which taps are neighbours.  Grappler would fuse a convolution in
groups with the bias or normalisation after it, for which there is no kernel; an EnsureShape keeps them apart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from onnxpress_backends.tensorflow.call import Call, Rule
from onnxpress_backends.tensorflow.geometry.terms import packed, term
from onnxpress_backends.tensorflow.geometry.windows import Window, padded, window
from onnxpress_backends.tensorflow.graphs.dtypes import DType
from onnxpress_backends.tensorflow.graphs.graph import Tensor
from onnxpress_backends.tensorflow.layout.layouts import channels_last
from onnxpress_backends.tensorflow.layout.values import Laid

Convolve = Callable[[Tensor, Sequence[int], str], Tensor]
"""A convolution without dilation of a tensor, by strides and padding."""


def conv(call: Call) -> Laid:
    """Conv of one to three spatial axes; one is done as two."""
    rank = call.rank(0)
    if not 3 <= rank <= 5:
        call.refuse("TensorFlow convolves over one to three spatial axes")
    slide = window(call, call.sizes(1)[2:])
    tensor = call.tensor(0, channels_last(rank))
    result = _in_space(call, tensor, slide) if rank == 5 else _in_plane(call, tensor, slide)
    if call.has(2):
        result = call.emit("BiasAdd", result, call.tensor(2))
    return Laid(result, channels_last(rank))


def _in_plane(call: Call, tensor: Tensor, slide: Window) -> Tensor:
    kernel, group = call.sizes(1), call.attribute("group", 1)
    flat = slide.rank == 1
    one = (1,) * flat
    dilated = any(step > 1 for step in slide.dilations)
    if group > 1 and kernel[1] == 1 and (flat or len(set(slide.strides)) == 1 or dilated):
        return _depthwise(call, tensor, slide)
    if slide.padding == "EXPLICIT":
        tensor = padded(call, tensor, slide)
    view = (*kernel[:2], *one, *kernel[2:])
    weight = call.weight(1, view, (2, 3, 1, 0), (*view[2:], *kernel[1::-1]))
    result = call.emit(
        "Conv2D",
        call.emit("ExpandDims", tensor, call.const(1, DType.INT32)) if flat else tensor,
        weight,
        strides=[1, *(slide.strides * (1 + flat)), 1],
        dilations=[1, *one, *slide.dilations, 1],
        padding=_word(slide),
    )
    if group > 1:
        result = call.emit("EnsureShape", result, shape=[None, None, None, kernel[0]])
    return call.emit("Squeeze", result, squeeze_dims=[1]) if flat else result


def _depthwise(call: Call, tensor: Tensor, slide: Window) -> Tensor:
    kernel, group = call.sizes(1), call.attribute("group", 1)
    flat = slide.rank == 1
    multiplier = kernel[0] // group
    spatial = (*(1,) * flat, *slide.kernel)
    weight = call.weight(1, (group, multiplier, *spatial), (2, 3, 0, 1), (*spatial, group, multiplier))

    def one(picture: Tensor, strides: Sequence[int], padding: str) -> Tensor:
        if flat:
            picture = call.emit("ExpandDims", picture, call.const(1, DType.INT32))
        steps = [1, *strides, *(strides if flat else ()), 1]
        result = call.emit("DepthwiseConv2dNative", picture, weight, strides=steps, padding=padding)
        return call.emit("Squeeze", result, squeeze_dims=[1]) if flat else result

    return _undilated(call, tensor, slide, one)


def _in_space(call: Call, tensor: Tensor, slide: Window) -> Tensor:
    kernel, group = call.sizes(1), call.attribute("group", 1)
    weight = call.weight(1, kernel, (2, 3, 4, 1, 0), (*slide.kernel, kernel[1], kernel[0]))
    weights = [weight] if group == 1 else _split(call, weight, group)

    def one(picture: Tensor, strides: Sequence[int], padding: str) -> Tensor:
        pictures = [picture] if group == 1 else _split(call, picture, group)
        results = [
            call.emit("Conv3D", *pair, strides=[1, *strides, 1], padding=padding)
            for pair in zip(pictures, weights, strict=True)
        ]
        return results[0] if group == 1 else call.emit("ConcatV2", results, call.const(4, DType.INT32))

    return _undilated(call, tensor, slide, one)


def _undilated(call: Call, tensor: Tensor, slide: Window, convolve: Convolve) -> Tensor:
    """A convolution by one that knows no dilation: of pictures of every `dilations`-th element, steps taken after."""
    if all(step == 1 for step in slide.dilations):
        if slide.padding == "EXPLICIT":
            tensor = padded(call, tensor, slide)
        return convolve(tensor, slide.strides, _word(slide))
    steps = [term(call, step) for step in slide.dilations]
    reach = [size + before + after for size, (before, after) in zip(slide.sizes, slide.pads, strict=True)]
    excess = [-size % step for size, step in zip(reach, steps, strict=True)]
    pads = packed(call, [packed(call, [b, a + more]) for (b, a), more in zip(slide.pads, excess, strict=True)])
    crops = packed(call, [packed(call, [term(call, 0), more]) for more in excess])
    block = packed(call, steps).tensor
    pictures = call.emit("SpaceToBatchND", tensor, block, pads.tensor)
    pictures = convolve(pictures, (1,) * slide.rank, "VALID")
    result = call.emit("BatchToSpaceND", pictures, block, crops.tensor)
    return every(call, result, slide.strides)


def every(call: Call, tensor: Tensor, strides: Sequence[int]) -> Tensor:
    """Every so many elements along the spatial axes, channels last."""
    if all(step == 1 for step in strides):
        return tensor
    nothing, everything = [0] * (len(strides) + 2), (1 << len(strides) + 2) - 1
    bounds = call.const(nothing, DType.INT32)
    steps = call.const([1, *strides, 1], DType.INT32)
    return call.emit("StridedSlice", tensor, bounds, bounds, steps, begin_mask=everything, end_mask=everything)


def _split(call: Call, tensor: Tensor, count: int) -> Sequence[Tensor]:
    node = call.emit_node("Split", call.const(4, DType.INT32), tensor, num_split=count)
    return [Tensor(node, index) for index in range(count)]


def _word(slide: Window) -> str:
    return "SAME" if slide.padding == "SAME" else "VALID"


RULES: Mapping[str, Rule] = {
    "Conv": conv,
}
