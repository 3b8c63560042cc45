"""Normalisations by moments of the input itself: over its last axes, over space, over groups of channels.

``d = x - mean(x)``, ``y = d * rsqrt(mean(d * d) + epsilon) * scale + bias``, in any layout; for half precision the
moments are taken in single precision (``stash_type``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from onnxpress_backends.tensorflow.call import Call, Rule
from onnxpress_backends.tensorflow.graphs.dtypes import DType
from onnxpress_backends.tensorflow.graphs.graph import Tensor
from onnxpress_backends.tensorflow.layout.broadcasting import aligned
from onnxpress_backends.tensorflow.layout.layouts import Layout, logical, place
from onnxpress_backends.tensorflow.layout.values import Laid, Value

_HALVES = (DType.HALF, DType.BFLOAT16)


def layer_normalization(call: Call) -> list[Laid]:
    """Over the axes from one on; also gives the mean and the inverse of the deviation."""
    x, layout, places = _from_axis(call)
    centred, mean = _centred(call, x, places)
    inverse = _inverse_deviation(call, centred, places, call.attribute("epsilon", 1e-5))
    normal = call.cast(call.emit("Mul", centred, inverse), call.dtype(0))
    result = _combined(call, Laid(normal, layout), "Mul", 1)
    if call.has(2):
        result = _combined(call, result, "AddV2", 2)
    single = DType.BFLOAT16 if call.attribute("stash_type", 1) == 16 else DType.FLOAT
    wanted = len(call.node.outputs)
    return [result, *(Laid(call.cast(moment, single), layout) for moment in (mean, inverse)[: wanted - 1])]


def rms_normalization(call: Call) -> Laid:
    """Over the axes from one on, without a mean."""
    x, layout, places = _from_axis(call)
    inverse = _inverse_deviation(call, x, places, call.attribute("epsilon", 1e-5))
    normal = call.cast(call.emit("Mul", x, inverse), call.dtype(0))
    return _combined(call, Laid(normal, layout), "Mul", 1)


def mean_variance_normalization(call: Call) -> Laid:
    """Over axes that are named; what is added to the deviation is ONNX's."""
    x, layout = _single(call)
    places = [layout.axis(axis) for axis in call.attribute("axes", [0, 2, 3])]
    centred, _ = _centred(call, x, places)
    deviation = call.emit("Sqrt", _mean(call, call.emit("Square", centred), places))
    normal = call.emit("RealDiv", centred, call.emit("AddV2", deviation, call.const(1e-9, x.dtype)))
    return Laid(call.cast(normal, call.dtype(0)), layout)


def lp_normalization(call: Call) -> Laid:
    """Over one axis, by the sum of magnitudes or the root of the sum of squares; zero stays zero."""
    tensor, layout = call.value(0).permuted
    axes = call.const([place(layout, call.attribute("axis", -1))], DType.INT32)
    if call.attribute("p", 2) == 1:
        norm = call.emit("Sum", call.emit("Abs", tensor), axes, keep_dims=True)
    else:
        norm = call.emit("Sqrt", call.emit("Sum", call.emit("Square", tensor), axes, keep_dims=True))
    return Laid(call.emit("DivNoNan", tensor, norm), layout)


def instance_normalization(call: Call) -> Laid:
    """Over space, for each image and channel."""
    x, layout = _single(call)
    places = [layout.axis(axis) for axis in range(2, layout.rank)]
    centred, _ = _centred(call, x, places)
    inverse = _inverse_deviation(call, centred, places, call.attribute("epsilon", 1e-5))
    scale, bias = (call.cast(per_channel(call, index, layout), x.dtype) for index in (1, 2))
    normal = call.emit("Mul", centred, call.emit("Mul", inverse, scale))
    return Laid(call.cast(call.emit("AddV2", normal, bias), call.dtype(0)), layout)


def group_normalization(call: Call) -> Laid:
    """Over space and the channels of a group; before opset 21 scale and bias are those of groups."""
    x, layout = _single(call)
    groups, (count,) = call.attribute("num_groups"), call.sizes(1)
    channel = layout.axis(1)
    split, whole = _regrouped(call, Laid(x, layout), channel, groups)
    space = [layout.axis(axis) for axis in range(2, layout.rank)]
    places = [channel + 1, *(axis + (axis > channel) for axis in space)]
    centred, _ = _centred(call, split, places)
    inverse = _inverse_deviation(call, centred, places, call.attribute("epsilon", 1e-5))
    normal = call.cast(call.emit("Mul", centred, inverse), call.dtype(0))
    shape = (groups, count // groups, *(1,) * (layout.rank - 1 - channel))
    scale, bias = (call.weight(index, (count,), (0,), shape) for index in (1, 2))
    result = call.emit("AddV2", call.emit("Mul", normal, scale), bias)
    return Laid(call.emit("Reshape", result, whole), layout)


def _regrouped(call: Call, laid: Laid, channel: int, groups: int) -> tuple[Tensor, Tensor]:
    """The tensor with its axis of channels made two, groups and members, and the shape that undoes it."""
    assert laid.layout is not None
    sizes = laid.layout.arrange(call.shape(0))
    count = sizes[channel]
    if count is not None and sizes.count(None) <= 1:
        whole = [-1 if size is None else size for size in sizes]
        parts = [*whole[:channel], groups, count // groups, *whole[channel + 1 :]]
        return call.emit("Reshape", laid.tensor, call.const(parts, DType.INT32)), call.const(whole, DType.INT32)
    shape = call.emit("Shape", laid.tensor)
    before = call.emit("Slice", shape, call.const([0], DType.INT32), call.const([channel], DType.INT32))
    after = call.emit("Slice", shape, call.const([channel + 1], DType.INT32), call.const([-1], DType.INT32))
    pair = call.const([groups, -1], DType.INT32)
    split = call.emit("ConcatV2", [before, pair, after], call.const(0, DType.INT32))
    return call.emit("Reshape", laid.tensor, split), shape


def per_channel(call: Call, index: int, layout: Layout) -> Tensor:
    """Input `index`, one number per channel, in the shape in which it is broadcast over a tensor of this layout."""
    (count,) = call.sizes(index)
    return call.weight(index, (count,), (0,), (count, *(1,) * (layout.rank - 1 - layout.axis(1))))


def _from_axis(call: Call) -> tuple[Tensor, Layout, list[int]]:
    x, layout = _single(call)
    axis = call.attribute("axis", -1) % layout.rank
    return x, layout, sorted(layout.axis(each) for each in range(axis, layout.rank))


def _single(call: Call) -> tuple[Tensor, Layout]:
    """The input as it lies, in single precision at least."""
    tensor, layout = call.value(0).permuted
    wide = DType.FLOAT if tensor.dtype in _HALVES else tensor.dtype
    return call.cast(tensor, wide), layout or logical(call.rank(0))


def _mean(call: Call, tensor: Tensor, places: Sequence[int]) -> Tensor:
    return call.emit("Mean", tensor, call.const(sorted(places), DType.INT32), keep_dims=True)


def _centred(call: Call, x: Tensor, places: Sequence[int]) -> tuple[Tensor, Tensor]:
    mean = _mean(call, x, places)
    return call.emit("Sub", x, mean), mean


def _inverse_deviation(call: Call, centred: Tensor, places: Sequence[int], epsilon: float) -> Tensor:
    variance = _mean(call, call.emit("Square", centred), places)
    return call.emit("Rsqrt", call.emit("AddV2", variance, call.const(epsilon, centred.dtype)))


def _combined(call: Call, laid: Laid, op: str, index: int) -> Laid:
    """What was computed from the first input, of its shape, with another input, broadcast."""
    inner = Value(graph=call.graph, name=call.title, dtype=laid.tensor.dtype, shape=call.shape(0))
    inner.forms[laid.layout] = laid.tensor
    (left, right), layout = aligned(call, [inner, call.value(index)])
    return Laid(call.emit(op, left, call.cast(right, left.dtype)), layout)


RULES: Mapping[str, Rule] = {
    "GroupNormalization": group_normalization,
    "InstanceNormalization": instance_normalization,
    "LayerNormalization": layer_normalization,
    "LpNormalization": lp_normalization,
    "MeanVarianceNormalization": mean_variance_normalization,
    "RMSNormalization": rms_normalization,
}
