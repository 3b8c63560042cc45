"""Axes of size 1 that come and go: Squeeze and Unsqueeze, by axes that are known or computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from onnxpress_backends.tensorflow.call import Call, Rule
from onnxpress_backends.tensorflow.geometry.terms import given
from onnxpress_backends.tensorflow.graphs.dtypes import DType
from onnxpress_backends.tensorflow.graphs.graph import Tensor
from onnxpress_backends.tensorflow.layout.layouts import Layout, logical
from onnxpress_backends.tensorflow.layout.values import Laid
from onnxpress_backends.tensorflow.rules.arranging import through


def unsqueeze(call: Call) -> Laid | Tensor:
    """Axes of size 1 more; they lie before the axis that follows them."""
    if "axes" not in call.node.attributes and call.constant(1) is None:
        return _to_computed(call)
    axes = call.integers("axes", 1) or []
    if call.value(0).shape is None and (len(axes) == 1 or min(axes, default=0) >= 0):
        return _with_axes(call, axes)
    rank = call.rank(0) + len(axes)
    new = {axis % rank for axis in axes}
    shape = iter(call.shape(0))
    target = tuple(1 if axis in new else next(shape) for axis in range(rank))
    if target.count(None) <= 1:
        return through(call, call.shape(0), target)
    return _expanded(call, sorted(new), rank)


def _with_axes(call: Call, axes: Sequence[int]) -> Tensor:
    """New axes of a tensor of unknown rank."""
    tensor = call.tensor(0)
    for axis in sorted(axes):
        tensor = call.emit("ExpandDims", tensor, call.const(axis, DType.INT32))
    return tensor


def _expanded(call: Call, new: Sequence[int], rank: int) -> Laid:
    """New axes, of a tensor of several unknown sizes; where it does not lie as ONNX says they are put last."""
    tensor, layout = call.value(0).permuted
    old = [axis for axis in range(rank) if axis not in new]
    straight = layout is None or layout.is_logical
    for axis in new:
        tensor = call.emit("ExpandDims", tensor, call.const(axis if straight else -1, DType.INT32))
    if layout is None or straight:
        return Laid(tensor, logical(rank))
    return Laid(tensor, Layout((*(old[axis] for axis in layout.perm), *new)))


def squeeze(call: Call) -> Laid | Tensor:
    """Axes of size 1 less."""
    if call.has(1) and call.constant(1) is None:
        return _to_computed(call)
    axes = call.integers("axes", 1)
    if call.value(0).shape is None:
        return call.emit("Squeeze", call.tensor(0), squeeze_dims=axes or [])
    shape = call.shape(0)
    gone = (
        {axis % len(shape) for axis in axes}
        if axes is not None
        else {axis for axis, size in enumerate(shape) if size == 1}
    )
    if all(shape[axis] == 1 for axis in gone) and shape.count(None) <= 1:
        return through(call, shape, tuple(size for axis, size in enumerate(shape) if axis not in gone))
    tensor, layout = call.value(0).permuted
    layout = layout or logical(len(shape))
    left = [axis for axis in range(len(shape)) if axis not in gone]
    squeezed = call.emit("Squeeze", tensor, squeeze_dims=sorted(layout.axis(axis) for axis in gone))
    return Laid(squeezed, Layout(tuple(left.index(axis) for axis in layout.perm if axis not in gone)))


def _to_computed(call: Call) -> Laid | Tensor:
    """Squeeze or Unsqueeze by axes that are only known when the model runs.

    A mask of the axes is scattered; a squeezed shape is what the mask leaves, an unsqueezed one has the old sizes where
    the mask is empty, counted up, and 1 elsewhere.
    """
    target, source = call.output_shape(), call.shape(0)
    if target is not None and target.count(None) <= 1:
        return through(call, source, target)
    more = call.node.op_type == "Unsqueeze"
    rank = len(source) + (call.sizes(1)[0] if more else 0)
    axes = given(call, 1).to(DType.INT32) % rank
    ones = call.emit("OnesLike", axes.tensor)
    mask = call.emit("ScatterNd", axes.at(1).tensor, ones, call.const([rank], DType.INT32))
    kept = call.emit("Equal", mask, call.const(0, DType.INT32))
    have, zero = call.runtime_shape(0, DType.INT32), call.const(0, DType.INT32)
    if more:
        places = call.emit("Cumsum", call.cast(kept, DType.INT32), zero, exclusive=True)
        places = call.emit("Minimum", places, call.const(max(len(source) - 1, 0), DType.INT32))
        found = call.emit("SelectV2", kept, call.emit("GatherV2", have, places, zero), call.const(1, DType.INT32))
    else:
        places = call.emit("Squeeze", call.emit("Where", kept), squeeze_dims=[1])
        found = call.emit("GatherV2", have, places, zero)
    return call.emit("Reshape", call.tensor(0), found)


RULES: Mapping[str, Rule] = {
    "Squeeze": squeeze,
    "Unsqueeze": unsqueeze,
}
