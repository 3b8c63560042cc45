"""Pooling over windows, channels last: one of TensorFlow's operators where it has one, else axis by axis by taps.

TensorFlow pools over one to three axes without dilation; what it leaves out of an average with SAME are just the
elements of the padding.  Any other average is one over padding, too, times ``taps / counted elements``, which is a
product over the axes because a window is a box.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

import numpy as np

from onnxpress_backends.tensorflow.call import Call, Rule
from onnxpress_backends.tensorflow.geometry.taps import Taps, gathered, reduced
from onnxpress_backends.tensorflow.geometry.terms import Term, count, product, sizes, term
from onnxpress_backends.tensorflow.geometry.windows import Window, padded, window
from onnxpress_backends.tensorflow.graphs.dtypes import DType
from onnxpress_backends.tensorflow.graphs.graph import Tensor
from onnxpress_backends.tensorflow.layout.layouts import channels_last
from onnxpress_backends.tensorflow.layout.values import Laid

_IN_SPACE = (DType.FLOAT, DType.BFLOAT16)
"""Types of TensorFlow's kernels that pool over three axes."""


def max_pool(call: Call) -> Laid | tuple[Laid, Laid]:
    """MaxPool; where the maxima stood is found by looking."""
    layout = channels_last(call.rank(0))
    slide, tensor = _start(call)
    if _has_kernel(slide, tensor):
        word = slide.padding
        ready = padded(call, tensor, slide, _lowest(tensor.dtype)) if word == "EXPLICIT" else tensor
        result = _pooled(call, "MaxPool", ready, slide, word)
    else:
        result = tensor
        for axis in range(slide.rank):
            result = reduced(call, result, axis + 1, layout.rank, Taps(positions=_inside(slide, axis)), "Max")
    if len(call.node.outputs) < 2 or not call.node.outputs[1].name:
        return Laid(result, layout)
    return Laid(result, layout), Laid(_indices(call, tensor, slide), layout)


def average_pool(call: Call) -> Laid:
    """AveragePool, with or without the padding in the count."""
    layout = channels_last(call.rank(0))
    slide, tensor = _start(call)
    include = bool(call.attribute("count_include_pad", 0))
    if not _has_kernel(slide, tensor):
        shares = [_counted(slide, axis, include) for axis in range(slide.rank)]
        return Laid(_summed(call, tensor, slide, shares), layout)
    if slide.padding == "VALID" or (slide.padding == "SAME" and not include):
        return Laid(_pooled(call, "AvgPool", tensor, slide, slide.padding), layout)
    result = _pooled(call, "AvgPool", padded(call, tensor, slide), slide, "VALID")
    correction = term(call, prod(slide.kernel), DType.FLOAT)
    for axis in range(slide.rank):
        ahead, behind = range(axis + 1), range(axis + 2, layout.rank)
        correction = correction / _counted(slide, axis, include).at(*ahead, *behind)
    if correction.known is None or (correction.known != 1).any():
        result = call.emit("Mul", result, correction.to(result.dtype).tensor)
    return Laid(result, layout)


def lp_pool(call: Call) -> Laid:
    """LpPool: the p-th root of the sum of p-th powers."""
    slide, tensor = _start(call)
    p = call.attribute("p", 2)
    powers = power(call, tensor, p)
    if _has_kernel(slide, powers):
        ready = powers if slide.padding == "VALID" else padded(call, powers, slide)
        average = _pooled(call, "AvgPool", ready, slide, "VALID")
        total = call.emit("Mul", average, call.const(prod(slide.kernel), average.dtype))
    else:
        total = _summed(call, powers, slide, [None] * slide.rank)
    return Laid(root(call, total, p), channels_last(call.rank(0)))


def power(call: Call, tensor: Tensor, p: float) -> Tensor:
    """The p-th power of the magnitudes."""
    if p == 2:
        return call.emit("Square", tensor)
    magnitude = call.emit("Abs", tensor)
    return magnitude if p == 1 else call.emit("Pow", magnitude, call.const(p, tensor.dtype))


def root(call: Call, tensor: Tensor, p: float) -> Tensor:
    """The p-th root."""
    if p == 2:
        return call.emit("Sqrt", tensor)
    return tensor if p == 1 else call.emit("Pow", tensor, call.const(1 / p, tensor.dtype))


def _start(call: Call) -> tuple[Window, Tensor]:
    rank = call.rank(0)
    if rank < 3:
        call.refuse("pooling needs at least one spatial axis after the channels")
    return window(call, call.attribute("kernel_shape")), call.tensor(0, channels_last(rank))


def _has_kernel(slide: Window, tensor: Tensor) -> bool:
    return all(step == 1 for step in slide.dilations) and (
        slide.rank < 3 or (slide.rank == 3 and tensor.dtype in _IN_SPACE)
    )


def _pooled(call: Call, op: str, tensor: Tensor, slide: Window, word: str) -> Tensor:
    flat = slide.rank == 1
    one = (1,) * flat
    if flat:
        tensor = call.emit("ExpandDims", tensor, call.const(1, DType.INT32))
    result = call.emit(
        op + "3D" * (slide.rank == 3),
        tensor,
        ksize=[1, *one, *slide.kernel, 1],
        strides=[1, *one, *slide.strides, 1],
        padding="SAME" if word == "SAME" else "VALID",
    )
    return call.emit("Squeeze", result, squeeze_dims=[1]) if flat else result


def _lowest(dtype: DType) -> float:
    return float("-inf") if dtype.is_float else int(np.iinfo(dtype.numpy).min)


def _inside(slide: Window, axis: int) -> Term:
    """The taps along an axis; those in the padding look at the nearest tap that is not."""
    positions, size, step = slide.positions(axis), slide.sizes[axis], slide.dilations[axis]
    beyond = positions - size + step
    ends = positions - (beyond // step * step).least(0)
    return (positions < 0).where(positions % step, ends)


def _counted(slide: Window, axis: int, include: bool) -> Term:
    """How many elements of an axis each window's average is of."""
    positions = slide.positions(axis)
    before, after = slide.pads[axis]
    low = -before if include else term(before.call, 0)
    high = slide.sizes[axis] + (after - slide.excess[axis]) if include else slide.sizes[axis]
    counted = (positions > low - 1) & (positions < high)
    return counted.to(DType.FLOAT).reduce("Sum", 1)


def _summed(call: Call, tensor: Tensor, slide: Window, shares: list[Term] | list[None]) -> Tensor:
    """The sums over windows, divided along each axis by what `shares` has."""
    wide = DType.FLOAT if tensor.dtype in (DType.HALF, DType.BFLOAT16) else tensor.dtype
    result = call.cast(tensor, wide)
    for axis, share in enumerate(shares):
        positions, size = slide.positions(axis), slide.sizes[axis]
        weights = ((positions > -1) & (positions < size)).to(wide)
        if share is not None:
            weights = weights / share.to(wide).at(1)
        taps = Taps(positions=positions.clip(0, size - 1), weights=weights)
        result = reduced(call, result, axis + 1, slide.rank + 2, taps, "Sum")
    return call.cast(result, tensor.dtype)


def _indices(call: Call, values: Tensor, slide: Window) -> Tensor:
    """Where the maxima stand, counted over the whole tensor in ONNX's order: of equal ones the first.

    One axis after the other: of the largest values along it, the one with the smallest number in row-major order.
    """
    spatial = [size.to(DType.INT64) for size in slide.sizes]
    never = call.const(np.iinfo(np.int64).max, DType.INT64)
    places: Tensor | None = None
    for axis, size in enumerate(spatial):
        taps, over = _inside(slide, axis), call.const([axis + 2], DType.INT32)
        here = taps.to(DType.INT64).at(*range(2, 2 + slide.rank - axis))
        if places is not None:
            here = Term(call, gathered(call, places, axis + 1, taps)) * size + here
        values = gathered(call, values, axis + 1, taps)
        largest = call.emit("Max", values, over, keep_dims=True)
        mine = call.emit("SelectV2", call.emit("Equal", values, largest), here.tensor, never)
        places = call.emit("Min", mine, over)
        values = call.emit("Squeeze", largest, squeeze_dims=[axis + 2])
    assert places is not None
    return _stored(call, Term(call, places), spatial)


def _stored(call: Call, places: Term, spatial: list[Term]) -> Tensor:
    """Numbers within a picture as ONNX's, which count pictures and channels before."""
    if call.attribute("storage_order", 0):
        places = _column_major(places, spatial)
    batch, channels = sizes(call, 0, DType.INT64)[:2]
    rank = len(spatial) + 2
    pictures = count(call, batch).at(*range(1, rank)) * channels + count(call, channels).at(*range(rank - 1))
    return (places + pictures * product(spatial)).tensor


def _column_major(places: Term, spatial: list[Term]) -> Term:
    """Row-major numbers with the first axis running fastest."""
    coordinates = []
    for size in reversed(spatial):
        coordinates.append(places % size)
        places = places // size
    total = coordinates[0]
    for coordinate, size in zip(coordinates[1:], reversed(spatial[:-1]), strict=True):
        total = total * size + coordinate
    return total


RULES: Mapping[str, Rule] = {
    "AveragePool": average_pool,
    "LpPool": lp_pool,
    "MaxPool": max_pool,
}
