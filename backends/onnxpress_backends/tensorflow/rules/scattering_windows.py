"""What a sliding window took, put back: MaxUnpool sets elements at their places, Col2Im adds up overlapping blocks."""

from __future__ import annotations

from collections.abc import Mapping

from onnxpress_backends.tensorflow.call import Call, Rule
from onnxpress_backends.tensorflow.geometry.borders import bordered
from onnxpress_backends.tensorflow.geometry.terms import Term, count, given, product, reshaped, sizes, term
from onnxpress_backends.tensorflow.graphs.dtypes import DType
from onnxpress_backends.tensorflow.graphs.graph import Tensor
from onnxpress_backends.tensorflow.layout.layouts import channels_last
from onnxpress_backends.tensorflow.layout.values import Laid


def max_unpool(call: Call) -> Tensor:
    """MaxUnpool: indices count the elements of the tensor before the pooling, in ONNX's order."""
    kernel = call.attribute("kernel_shape")
    strides = call.attribute("strides") or (1,) * len(kernel)
    pads = call.attribute("pads") or (0,) * (2 * len(kernel))
    outer, spatial = sizes(call, 0, DType.INT64)[:2], sizes(call, 0, DType.INT64)[2:]
    shape = [*outer]
    for axis, size in enumerate(spatial):
        shape.append((size - 1) * strides[axis] + (kernel[axis] - pads[axis] - pads[axis + len(kernel)]))
    whole = product(shape).at(0)
    nothing = call.emit("Fill", whole.tensor, call.const(0, call.dtype(0)))
    flat = call.const([-1], DType.INT32)
    places = call.emit("Reshape", call.tensor(1), call.const([-1, 1], DType.INT32))
    filled = call.emit("TensorScatterUpdate", nothing, places, call.emit("Reshape", call.tensor(0), flat))
    result = reshaped(call, filled, shape)
    if not call.has(2):
        return result
    wanted = given(call, 2).to(DType.INT32)
    border = [(term(call, 0), wanted[axis] - size.to(DType.INT32)) for axis, size in enumerate(shape)]
    return bordered(call, result, border)


def col2im(call: Call) -> Laid:
    """Col2Im over any number of axes: every element of every block is added at its place; those in the pads nowhere."""
    rank = call.sizes(1)[0]
    image, block = given(call, 1).to(DType.INT32), given(call, 2).to(DType.INT32)
    extents = [image[axis] for axis in range(rank)]
    taps = product([block[axis] for axis in range(rank)])
    batch, rows, places = sizes(call, 0)
    channels = rows // taps
    blocks = reshaped(call, call.tensor(0), [batch, channels, taps * places])
    first = call.emit("Transpose", blocks, call.const([2, 0, 1], DType.INT32))
    summed = call.emit("UnsortedSegmentSum", first, _places(call, extents, block).tensor, product(extents).tensor)
    last = call.emit("Transpose", summed, call.const([1, 0, 2], DType.INT32))
    return Laid(reshaped(call, last, [batch, *extents, channels]), channels_last(rank + 2))


def _places(call: Call, image: list[Term], block: Term) -> Term:
    """Where in the flat image each tap of each block goes, taps before blocks; -1: nowhere."""
    rank = len(image)
    strides = call.attribute("strides") or (1,) * rank
    dilations = call.attribute("dilations") or (1,) * rank
    pads = call.attribute("pads") or (0,) * (2 * rank)
    total, within = term(call, 0), term(call, True, DType.BOOL)
    for axis, size in enumerate(image):
        taps = count(call, block[axis]) * dilations[axis]
        reach = size + (pads[axis] + pads[axis + rank]) - (block[axis] - 1) * dilations[axis]
        starts = count(call, (reach - 1) // strides[axis] + 1) * strides[axis] - pads[axis]
        mine = taps.at(1) + starts.at(0)
        others = [place for place in range(2 * rank) if place not in (axis, axis + rank)]
        mine = mine.at(*others)
        total = total * size + mine
        within = within & mine.clip(0, size - 1).equals(mine)
    return within.where(total, -1).reshape(-1)


RULES: Mapping[str, Rule] = {
    "Col2Im": col2im,
    "MaxUnpool": max_unpool,
}
