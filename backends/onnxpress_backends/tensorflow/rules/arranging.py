"""Operators that only rearrange: Transpose is a change of tag, Reshape goes through a layout where it can.

A reshape is a row of small ones, each taking some axes to some others (``[C] -> [G, C/G]``, ``[C, H, W] -> [CHW]``).  A
part whose axes lie together and in order in memory is a reshape of the tensor as it lies, and the layout carries over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import NamedTuple

from onnxpress_backends.tensorflow.call import Call, Rule, shape_of
from onnxpress_backends.tensorflow.geometry.terms import packed, sizes, term
from onnxpress_backends.tensorflow.graphs.dtypes import DType
from onnxpress_backends.tensorflow.graphs.graph import Tensor
from onnxpress_backends.tensorflow.layout.layouts import Layout, Shape, Split, logical, transposed
from onnxpress_backends.tensorflow.layout.reshape_parts import Part, parts
from onnxpress_backends.tensorflow.layout.values import Laid, Value
from onnxpress_backends.tensorflow.shapes.measured_shapes import is_measured
from onnxpress_backends.tensorflow.shapes.size_tracing import copies


class _Carried(NamedTuple):
    """A tensor, and the layout of what its reshape gives."""

    tensor: Tensor
    layout: Layout


def transpose(call: Call) -> Laid:
    """The tensor stays; its tag changes."""
    tensor, layout = call.value(0).permuted
    perm = call.attribute("perm")
    if layout is None:
        if perm is None:
            call.refuse("the rank of the input must be known to reverse its axes")
        return Laid(call.emit("Transpose", tensor, call.const(perm, DType.INT32)), None)
    return Laid(tensor, transposed(layout, perm or tuple(reversed(range(layout.rank)))))


def reshape(call: Call) -> Laid | Tensor:
    """To the shape that ONNX inferred; where it could not, to the one that is computed."""
    target = shape_of(call.node.outputs[0])
    source = call.value(0).shape
    if target is None or source is None:
        return _by_tensor(call)
    if target.count(None) <= 1:
        return through(call, source, target)
    return _by_sizes(call, source, target) or _by_tensor(call)


def _by_sizes(call: Call, source: Shape, target: Shape) -> Laid | None:
    """To sizes of which all but one are known or those of the input, as it lies; None when it must lie as ONNX says."""
    wanted = call.constant(1)
    kept = copies(call, 1) if wanted is None else {axis: axis for axis, size in enumerate(wanted) if size == 0}
    kept = {axis: origin for axis, origin in kept.items() if target[axis] is None}
    if call.attribute("allowzero", 0) or target.count(None) - len(kept) > 1:
        return None
    after = _carried_form(call, source, target, kept)
    if after is None:
        return None
    tensor, layout = after
    have = sizes(call, 0, DType.INT64)
    numbers = [
        have[kept[axis]] if axis in kept else term(call, -1 if size is None else size, DType.INT64)
        for axis, size in enumerate(target)
    ]
    return Laid(_reshaped(call, tensor, packed(call, [numbers[axis] for axis in layout.perm]).tensor), layout)


def _by_tensor(call: Call) -> Tensor:
    """A shape that is only known when the model runs; 0 stands for the size of the input there."""
    shape, wanted = call.node.inputs[1], call.constant(1)
    assert shape is not None
    if call.attribute("allowzero", 0) or is_measured(call, shape):
        return _reshaped(call, call.tensor(0), call.tensor(1))
    if wanted is not None:
        have = sizes(call, 0, DType.INT64)
        numbers = [have[axis] if size == 0 else term(call, size, DType.INT64) for axis, size in enumerate(wanted)]
        return _reshaped(call, call.tensor(0), packed(call, numbers).tensor)
    rank, zero = call.sizes(1)[0], call.const(0, DType.INT64)
    missing = max(rank - call.rank(0), 0)
    padded = call.emit("PadV2", call.runtime_shape(0), call.const([[0, missing]], DType.INT32), zero)
    first = call.emit("Slice", padded, call.const([0], DType.INT32), call.const([rank], DType.INT32))
    given_ = call.tensor(1)
    return _reshaped(call, call.tensor(0), call.emit("SelectV2", call.emit("Equal", given_, zero), first, given_))


def through(call: Call, source: Shape, target: Shape) -> Laid:
    """The first input reshaped as it lies, where a layout of the result says the same; else in ONNX's order.

    Args:
        call: The node.
        source: Its shape.
        target: The shape it gets; at most one size is unknown.
    """
    value = call.value(0)
    if value.constant is not None:
        return Laid(_to(call, value.tensor(), target), logical(len(target)))
    after = _carried_form(call, source, target, {})
    if after is not None:
        return Laid(_to(call, after.tensor, after.layout.arrange(target)), after.layout)
    return Laid(_to(call, value.tensor(), target), logical(len(target)))


def _carried_form(call: Call, source: Shape, target: Shape, kept: Mapping[int, int]) -> _Carried | None:
    """A form of the first input that is not in ONNX's order and need not be, and the layout of what comes of it."""
    value = call.value(0)
    if value.constant is not None:
        return None
    small = parts(source, target, kept)
    for layout, tensor in value.forms.items() if value.forms else [value.laid[::-1]]:
        if layout is None or layout.is_logical:
            continue
        after = _carried(layout, source, target, small)
        if after is not None:
            return _Carried(tensor, after)
    return _put_in_order(value, source, target, small)


def _put_in_order(value: Value, source: Shape, target: Shape, small: Sequence[Part]) -> _Carried | None:
    """Axes that are joined and lie together, but in another order, are transposed where they lie: a channel shuffle."""
    layout = value.permuted.layout
    if layout is None or layout.is_logical or any(not before for before, _ in small):
        return None
    perm: list[int] = []
    for before, _ in sorted(small, key=lambda part: min(map(layout.axis, part[0]))):
        places = sorted(map(layout.axis, before))
        if places[-1] - places[0] >= len(places):
            return None
        perm += before
    ordered = Layout(tuple(perm))
    after = None if ordered.is_logical else _carried(ordered, source, target, small)
    return None if after is None else _Carried(value.tensor(ordered), after)


def _to(call: Call, tensor: Tensor, shape: Shape) -> Tensor:
    return _reshaped(call, tensor, call.const([-1 if size is None else size for size in shape], DType.INT32))


def _reshaped(call: Call, tensor: Tensor, shape: Tensor) -> Tensor:
    """A Reshape; of what is reshaped already, the first shape does not matter."""
    if tensor.node.op == "Reshape":
        tensor = tensor.node.inputs[0]
    return call.emit("Reshape", tensor, shape)


def _carried(layout: Layout, source: Shape, target: Shape, small: Sequence[Part]) -> Layout | None:
    """The layout of the result when the tensor is reshaped as it lies; None when that cannot be."""
    if layout.split is not None:
        return None
    order: list[tuple[int, tuple[int, ...]]] = []
    split: Split | None = None
    for before, after in small:
        kept = [axis for axis in before if source[axis] != 1]
        places = [layout.axis(axis) for axis in kept]
        together = places == sorted(places) and _adjacent(places, layout, source)
        if not together:
            if split is not None or len(after) != 1 or None in (source[axis] for axis in kept):
                return None
            if not _adjacent(sorted(places), layout, source):
                return None
            by_place = sorted(kept, key=layout.axis)
            split = Split(after[0], tuple(source[a] or 0 for a in kept), tuple(kept.index(a) for a in by_place))
        order.append((min(places, default=-1), after))
    if any(place < 0 for place, _ in order):
        order = _with_ones(order)
    perm = tuple(axis for _, after in sorted(order, key=lambda item: item[0]) for axis in after)
    carried = Layout(perm, split)
    return None if split is not None and perm != tuple(range(len(target))) else carried


def _adjacent(places: Sequence[int], layout: Layout, source: Shape) -> bool:
    """Whether nothing but axes of size 1 lies between."""
    between = set(range(places[0], places[-1])) - set(places) if places else set()
    return all(source[layout.perm[place]] == 1 for place in between)


def _with_ones(order: list[tuple[int, tuple[int, ...]]]) -> list[tuple[int, tuple[int, ...]]]:
    """Parts of size 1 stand where the part before them stands."""
    placed: list[tuple[int, tuple[int, ...]]] = []
    last = -1
    for place, after in order:
        last = place if place >= 0 else last
        placed.append((last, after))
    return placed


def flatten(call: Call) -> Laid | Tensor:
    """To two axes."""
    shape = call.shape(0)
    axis = call.attribute("axis", 1)
    axis += len(shape) if axis < 0 else 0
    target = tuple(None if None in part else prod(size or 0 for size in part) for part in (shape[:axis], shape[axis:]))
    if target.count(None) <= 1:
        return through(call, shape, target)
    have = call.runtime_shape(0)
    rows = call.emit("Slice", have, call.const([0], DType.INT32), call.const([axis], DType.INT32))
    first = call.emit("Prod", rows, call.const([0], DType.INT32), keep_dims=True)
    joined = call.emit("ConcatV2", [first, call.const([-1], DType.INT64)], call.const(0, DType.INT32))
    return call.emit("Reshape", call.tensor(0), joined)


RULES: Mapping[str, Rule] = {
    "Flatten": flatten,
    "Reshape": reshape,
    "Transpose": transpose,
}
