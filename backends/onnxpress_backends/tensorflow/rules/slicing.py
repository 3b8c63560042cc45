"""Slice: numpy's ``x[start:end:step]`` along some axes, which is TensorFlow's StridedSlice along all of them.

Bounds that lie outside are clamped alike but for one: going backwards, ONNX starts at the first element where it is
told to start before it, and TensorFlow then takes none.  Starts, ends, axes and steps may be computed when the model
runs.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from onnxpress_backends.tensorflow.call import Call, Rule
from onnxpress_backends.tensorflow.geometry.terms import Term, given, packed, sizes, term
from onnxpress_backends.tensorflow.graphs.dtypes import DType
from onnxpress_backends.tensorflow.layout.layouts import Layout, logical
from onnxpress_backends.tensorflow.layout.values import Laid

_FAR = 2**31 - 1
"""Beyond the end of any axis."""


def slice_(call: Call) -> Laid:
    """Slice, in the layout that the input has."""
    rank = call.rank(0)
    tensor, layout = call.value(0).permuted
    axes = _axes(call)
    places = _places(axes, layout or logical(rank))
    ends, steps = _bounded(given(call, 2)), _bounded(given(call, 4)) if call.has(4) else None
    starts = _bounded(_clamped(axes, given(call, 1), steps))
    begin, end = _spread(places, starts, [0] * rank), _spread(places, ends, [_FAR] * rank)
    stride = term(call, [1] * rank) if steps is None else _spread(places, steps, [1] * rank)
    if any(part.known is None for part in (begin, end, stride)):
        begin, end, stride = (part.to(DType.INT64) for part in (begin, end, stride))
    free = 0 if places.known is None else sum(1 << axis for axis in range(rank) if axis not in places.known)
    bounds = (begin.tensor, end.tensor, stride.tensor)
    return Laid(call.emit("StridedSlice", tensor, *bounds, begin_mask=free, end_mask=free), layout)


def _axes(call: Call) -> Term:
    """The ONNX axes, not negative, an INT32 vector."""
    if call.has(3):
        return given(call, 3).to(DType.INT32) % call.rank(0)
    return term(call, range(call.sizes(1)[0]))


def _places(axes: Term, layout: Layout) -> Term:
    """Where the axes are in memory."""
    return axes if layout.is_logical else term(axes.call, np.argsort(layout.perm)).take(axes)


def _clamped(axes: Term, starts: Term, steps: Term | None) -> Term:
    """Starts of which those of negative steps are not before the first element."""
    forward = steps is None or (steps.known is not None and (steps.known > 0).all())
    if steps is None or forward or (starts.known is not None and (starts.known >= 0).all()):
        return starts
    dims = packed(axes.call, sizes(axes.call, 0, DType.INT64)).take(axes)
    starts = starts.to(DType.INT64)
    inside = (starts < 0).where((starts + dims).least(0), starts)
    return (steps < 0).where(inside, starts)


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
