"""Elements chosen by what they hold: the largest, those that are not zero, those a mask keeps, each value once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

from onnxpress_backends.tensorflow.call import Call, Rule
from onnxpress_backends.tensorflow.graphs.dtypes import DType
from onnxpress_backends.tensorflow.graphs.graph import Tensor
from onnxpress_backends.tensorflow.layout.layouts import last
from onnxpress_backends.tensorflow.layout.values import Laid


def top_k(call: Call) -> Sequence[Laid]:
    """TopK; of equal elements the first ones, in both libraries."""
    _, layout = call.value(0).permuted
    if layout is None:
        call.refuse("the rank of the input must be known")
    wanted = last(layout, call.attribute("axis", -1))
    tensor = call.tensor(0, wanted)
    known = call.constant(1)
    number = (
        call.cast(call.emit("Reshape", call.tensor(1), call.const([], DType.INT32)), DType.INT32)
        if known is None
        else call.const(int(known.reshape(())), DType.INT32)
    )
    largest = call.attribute("largest", 1)
    node = call.emit_node("TopKV2", tensor if largest else turned(call, tensor), number)
    values, places = Tensor(node, 0), call.cast(Tensor(node, 1), DType.INT64)
    return Laid(values if largest else turned(call, values), wanted), Laid(places, wanted)


def turned(call: Call, tensor: Tensor) -> Tensor:
    """Numbers in the opposite order: ``-x``, for integers ``-x - 1``, which no type overflows."""
    return call.emit("Neg" if tensor.dtype.is_float else "Invert", tensor)


def non_zero(call: Call) -> Tensor:
    """NonZero: the indices of each element, a column each."""
    return call.emit("Transpose", call.emit("Where", call.tensor(0)), call.const([1, 0], DType.INT32))


def compress(call: Call) -> Laid | Tensor:
    """Compress: the places of the mask that are true, along an axis or of the flattened tensor."""
    places = call.emit("Squeeze", call.emit("Where", call.tensor(1)), squeeze_dims=[1])
    axis = call.attribute("axis")
    if axis is None:
        flat = call.emit("Reshape", call.tensor(0), call.const([-1], DType.INT32))
        return call.emit("GatherV2", flat, places, call.const(0, DType.INT32))
    tensor, layout = call.value(0).permuted
    place = axis if layout is None else layout.axis(axis)
    return Laid(call.emit("GatherV2", tensor, places, call.const(place, DType.INT32)), layout)


def unique(call: Call) -> Sequence[Tensor]:
    """Unique: values or slices, where each comes first, which one each element is, and how often each comes."""
    axis = call.attribute("axis")
    tensor = call.tensor(0)
    if axis is None:
        tensor = call.emit("Reshape", tensor, call.const([-1], DType.INT32))
        axis = 0
    else:
        axis %= call.rank(0)
    axes = call.const([axis], DType.INT32)
    node = call.emit_node("UniqueWithCountsV2", tensor, axes, out_idx=DType.INT64)
    values, inverse, counts = (Tensor(node, index) for index in range(3))
    zero, many = call.const(0, DType.INT32), call.emit("Size", counts, out_type=DType.INT64)
    numbers = call.emit("Size", inverse, out_type=DType.INT64)
    bounds = call.const(0, DType.INT64), numbers, call.const(1, DType.INT64)
    first = call.emit("UnsortedSegmentMin", call.emit("Range", *bounds), inverse, many)
    if call.attribute("sorted", 1):
        order = _sorting(call, values, axis)
        values = call.emit("GatherV2", values, order, call.const(axis, DType.INT32))
        first, counts = (call.emit("GatherV2", each, order, zero) for each in (first, counts))
        inverse = call.emit("GatherV2", call.emit("InvertPermutation", order), inverse, zero)
        inverse = call.cast(inverse, DType.INT64)
    return values, first, inverse, counts


def _sorting(call: Call, values: Tensor, axis: int) -> Tensor:
    """The order in which slices along `axis` rise: sorted, stably, by the last element, then by those before it."""
    if values.dtype == DType.STRING:
        call.refuse("TensorFlow cannot sort strings; set sorted to 0")
    shape = call.value(0).shape
    columns = 1 if call.attribute("axis") is None or shape is None else _others(call, axis)
    rows = _rows(call, values, axis, columns)
    many = call.emit("Size", call.emit("GatherV2", rows, *_column(call, 0)), out_type=DType.INT32)
    order = call.emit("Range", call.const(0, DType.INT32), many, call.const(1, DType.INT32))
    for column in reversed(range(columns)):
        keys = call.emit("GatherV2", rows, *_column(call, column))
        here = call.emit("GatherV2", keys, order, call.const(0, DType.INT32))
        places = Tensor(call.emit_node("TopKV2", turned(call, here), many), 1)
        order = call.emit("GatherV2", order, places, call.const(0, DType.INT32))
    return order


def _others(call: Call, axis: int) -> int:
    """Elements of one slice."""
    sizes = [size for each, size in enumerate(call.shape(0)) if each != axis]
    known = [size for size in sizes if size is not None]
    if len(known) < len(sizes) or prod(known) > _COLUMNS:
        call.refuse(
            f"slices are sorted element by element, and may have {_COLUMNS} at most, known ones; set sorted to 0"
        )
    return prod(known)


_COLUMNS = 64
"""Elements of a slice up to which slices are sorted."""


def _rows(call: Call, values: Tensor, axis: int, columns: int) -> Tensor:
    """Slices along `axis` as the rows of a matrix."""
    if call.attribute("axis") is not None and axis:
        order = [axis, *(each for each in range(call.rank(0)) if each != axis)]
        values = call.emit("Transpose", values, call.const(order, DType.INT32))
    return call.emit("Reshape", values, call.const([-1, columns], DType.INT32))


def _column(call: Call, index: int) -> tuple[Tensor, Tensor]:
    return call.const(index, DType.INT32), call.const(1, DType.INT32)


RULES: Mapping[str, Rule] = {
    "Compress": compress,
    "NonZero": non_zero,
    "TopK": top_k,
    "Unique": unique,
}
