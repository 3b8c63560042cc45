"""DeformConv: every tap of the kernel reads the picture where its offset says, between the elements if need be.

What the taps read becomes the channels of a convolution by a kernel of size 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from onnxpress_backends.tensorflow.call import Call, Rule
from onnxpress_backends.tensorflow.geometry.sampling import Neighbours, Pictures, linear, weighted
from onnxpress_backends.tensorflow.geometry.terms import Term, count, reshaped, sizes, term
from onnxpress_backends.tensorflow.graphs.dtypes import DType
from onnxpress_backends.tensorflow.graphs.graph import Tensor
from onnxpress_backends.tensorflow.layout.layouts import channels_last
from onnxpress_backends.tensorflow.layout.values import Laid


def deform_conv(call: Call) -> Laid:
    """DeformConv over two axes; offsets, and what a tap counts, may differ between groups of channels."""
    if call.rank(0) != 4:
        call.refuse("DeformConv is defined for two spatial axes")
    kernel, group = call.sizes(1), call.attribute("group", 1)
    features = _features(call, kernel)
    taps = prod(kernel[2:])
    weight = call.weight(1, (*kernel[:2], taps), (1, 2, 0), (1, 1, kernel[1] * taps, kernel[0]))
    result = call.emit("Conv2D", features, weight, strides=[1, 1, 1, 1], padding="VALID")
    if group > 1:
        result = call.emit("EnsureShape", result, shape=[None, None, None, kernel[0]])
    if call.has(3):
        result = call.emit("BiasAdd", result, call.tensor(3))
    return Laid(result, channels_last(4))


def _features(call: Call, kernel: tuple[int, ...]) -> Tensor:
    """What the taps read, ``[pictures, rows, columns, channels * taps]``."""
    groups, taps = call.attribute("offset_group", 1), prod(kernel[2:])
    batch, _, high, wide = sizes(call, 0)
    _, _, rows, columns = sizes(call, 2)
    channels = kernel[1] * call.attribute("group", 1)
    part = term(call, channels // groups)
    looks = _looks(call, kernel, groups)
    picture = count(call, batch).at(1, 2, 3, 4, 5, 6)
    which = count(call, term(call, groups)).at(0, 1, 2, 4, 5, 6)
    tensor = call.tensor(0, channels_last(4))
    pictures = Pictures(tensor=tensor, sizes=[high, wide, term(call, groups)], channels=part)
    picked = pictures.at(picture, [each.positions for each in looks] + [which])
    read = call.emit("Sum", weighted(call, picked, [each.weights for each in looks]), call.const([5, 6], DType.INT32))
    if call.has(4):
        shape = [batch, rows, columns, *(term(call, number) for number in (groups, taps, 1))]
        read = call.emit("Mul", read, reshaped(call, call.tensor(4, channels_last(4)), shape))
    ordered = call.emit("Transpose", read, call.const([0, 1, 2, 3, 5, 4], DType.INT32))
    return reshaped(call, ordered, [batch, rows, columns, term(call, channels * taps)])


def _looks(call: Call, kernel: tuple[int, ...], groups: int) -> list[Neighbours]:
    """What each tap looks at: ``[pictures, rows, columns, groups, taps]``, then rows and columns around the point."""
    batch, _, *spatial = sizes(call, 0)
    _, _, *places = sizes(call, 2)
    high, wide = kernel[2:]
    shape = [batch, *places, *(term(call, number) for number in (groups, high * wide, 2))]
    offsets = reshaped(call, call.tensor(2, channels_last(4)), shape)
    node = call.emit_node("Unpack", offsets, num=2, axis=5)
    strides, dilations = call.attribute("strides") or (1, 1), call.attribute("dilations") or (1, 1)
    pads = call.attribute("pads") or (0,) * 4
    steps = [count(call, term(call, size)) for size in kernel[2:]]
    taps = [(steps[0].at(1) + steps[1].at(0) * 0).reshape(-1), (steps[0].at(1) * 0 + steps[1].at(0)).reshape(-1)]
    looks = []
    for axis in range(2):
        starts = count(call, places[axis]) * strides[axis] - pads[axis]
        regular = starts.at(*((0, 2, 3, 4) if axis == 0 else (0, 1, 3, 4))) + (taps[axis] * dilations[axis]).at(
            0, 1, 2, 3
        )
        where = Term(call, Tensor(node, axis))
        looks.append(linear(where + regular.to(where.dtype), spatial[axis]).along(6 - axis))
    return looks


RULES: Mapping[str, Rule] = {
    "DeformConv": deform_conv,
}
