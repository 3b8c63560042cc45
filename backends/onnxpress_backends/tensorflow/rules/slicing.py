"""Slice: numpy's ``x[start:end:step]`` along some axes, which is TensorFlow's StridedSlice along all of them.

Both clamp what lies outside in the same way; starts, ends, axes and steps may be computed when the model runs.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from onnxpress_backends.tensorflow.call import Call, Rule
from onnxpress_backends.tensorflow.dtypes import DType
from onnxpress_backends.tensorflow.layouts import Layout, logical
from onnxpress_backends.tensorflow.terms import Term, given, term
from onnxpress_backends.tensorflow.values import Laid

_FAR = 2**31 - 1
"""Beyond the end of any axis."""


def slice_(call: Call) -> Laid:
    """Slice, in the layout that the input has."""
    rank = call.rank(0)
    tensor, layout = call.value(0).permuted
    places = _places(call, layout or logical(rank))
    starts, ends = (_bounded(given(call, index)) for index in (1, 2))
    steps = _bounded(given(call, 4)) if call.has(4) else None
    begin, end = _spread(places, starts, [0] * rank), _spread(places, ends, [_FAR] * rank)
    stride = term(call, [1] * rank) if steps is None else _spread(places, steps, [1] * rank)
    if any(part.known is None for part in (begin, end, stride)):
        begin, end, stride = (part.to(DType.INT64) for part in (begin, end, stride))
    free = 0 if places.known is None else sum(1 << axis for axis in range(rank) if axis not in places.known)
    bounds = (begin.tensor, end.tensor, stride.tensor)
    return Laid(call.emit("StridedSlice", tensor, *bounds, begin_mask=free, end_mask=free), layout)


def _places(call: Call, layout: Layout) -> Term:
    """Where the axes are in memory, an INT32 vector."""
    where = term(call, [layout.axis(axis) for axis in range(layout.rank)])
    if not call.has(3):
        return term(call, (where.known if where.known is not None else [])[: call.sizes(1)[0]])
    axes = given(call, 3).to(DType.INT32) % layout.rank
    if axes.known is not None:
        return term(call, [layout.axis(int(axis)) for axis in axes.known])
    if layout.is_logical:
        return axes
    return Term(call, call.emit("GatherV2", where.tensor, axes.tensor, call.const(0, DType.INT32)))


def _bounded(vector: Term) -> Term:
    """The numbers as 32 bits where they are known: what lies further out is far enough."""
    if vector.known is None:
        return vector.to(DType.INT64)
    return Term(vector.call, np.clip(vector.known, -_FAR, _FAR).astype(np.int32))


def _spread(places: Term, numbers: Term, rest: list[int]) -> Term:
    """A number for each axis: `numbers` at `places`, `rest` elsewhere."""
    call = places.call
    if places.known is not None and numbers.known is not None:
        full = np.array(rest, np.int32)
        full[places.known] = numbers.known
        return Term(call, full)
    base, numbers = term(call, rest, DType.INT64), numbers.to(DType.INT64)
    return Term(call, call.emit("TensorScatterUpdate", base.tensor, places.at(1).tensor, numbers.tensor))


RULES: Mapping[str, Rule] = {
    "Slice": slice_,
}
