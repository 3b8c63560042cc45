"""Gathering by index: along one axis (Gather), element by element (GatherElements), by tuples of indices (GatherND).

ONNX's indices may count from the end; TensorFlow's may not.
"""

from __future__ import annotations

from collections.abc import Mapping

from onnxpress_backends.tensorflow.call import Call, Rule
from onnxpress_backends.tensorflow.geometry.positions import counted, sizes_in, strides
from onnxpress_backends.tensorflow.geometry.terms import Term, given, packed, product, sizes, term
from onnxpress_backends.tensorflow.graphs.dtypes import DType
from onnxpress_backends.tensorflow.graphs.graph import Tensor
from onnxpress_backends.tensorflow.layout.layouts import Layout, logical
from onnxpress_backends.tensorflow.layout.values import Laid


def gather(call: Call) -> Laid | Tensor:
    """Gather: the axes of the indices stand where the axis was."""
    tensor, layout = call.value(0).permuted
    axis = call.attribute("axis", 0)
    if layout is None:
        return call.emit("GatherV2", tensor, call.tensor(1), call.const(axis, DType.INT32))
    axis %= layout.rank
    indices = from_start(given(call, 1), sizes(call, 0, DType.INT64)[axis])
    place = call.const(layout.axis(axis), DType.INT32)
    gathered = call.emit("GatherV2", tensor, indices.tensor, place)
    if call.value(1).shape is None:
        return call.emit("GatherV2", call.tensor(0), indices.tensor, call.const(axis, DType.INT32))
    more = call.rank(1)
    perm: list[int] = []
    for each in layout.perm:
        perm += range(axis, axis + more) if each == axis else [each if each < axis else each + more - 1]
    return Laid(gathered, Layout(tuple(perm)))


def from_start(indices: Term, size: Term) -> Term:
    """Indices that may be negative, counted from the start."""
    safe = _counts_up(indices.held) if isinstance(indices.held, Tensor) else not (indices.held < 0).any()
    return indices if safe else indices % size.to(indices.dtype)


_COUNTING = frozenset({"ArgMax", "ArgMin", "Shape", "Size", "Where"})
_PASSING = frozenset({"Cast", "ExpandDims", "GatherV2", "Identity", "Reshape", "Slice", "Squeeze", "StridedSlice"})


def _counts_up(tensor: Tensor) -> bool:
    """Whether its elements are places or sizes, which are not negative."""
    node = tensor.node
    if node.op == "FloorMod":
        divisor = node.inputs[1].node
        number = divisor.attrs.get("value") if divisor.weight is None else divisor.weight.array()
        return number is not None and bool((number > 0).all())
    return node.op in _COUNTING or (node.op in _PASSING and _counts_up(node.inputs[0]))


def gather_elements(call: Call) -> Laid:
    """GatherElements; where whole rows match, a batched gather."""
    data, layout = call.value(0).permuted
    layout = layout or logical(call.rank(0))
    axis = layout.axis(call.attribute("axis", 0))
    shape, wanted = layout.arrange(call.shape(0)), layout.arrange(call.shape(1))
    dims = sizes_in(call, data, shape)
    indices = Term(call, call.tensor(1, layout))
    if axis == layout.rank - 1 and shape[:-1] == wanted[:-1] and None not in shape[:-1]:
        rows = from_start(indices, dims[axis]).tensor
        return Laid(call.emit("GatherV2", data, rows, call.const(axis, DType.INT32), batch_dims=axis), layout)
    numbers = element_numbers(from_start(indices, dims[axis]), axis, dims, sizes_in(call, indices.tensor, wanted))
    flat = call.emit("Reshape", data, call.const([-1], DType.INT32))
    return Laid(call.emit("GatherV2", flat, numbers.tensor, call.const(0, DType.INT32)), layout)


def element_numbers(indices: Term, axis: int, dims: list[Term], counts: list[Term]) -> Term:
    """Numbers of the elements of a tensor of sizes `dims` of which the index along `axis` is given.

    Args:
        indices: Not negative; broadcast along the other axes.
        axis: Where they stand.
        dims: Sizes of the tensor that is addressed.
        counts: How far the other indices are counted.
    """
    steps = strides(dims)
    others: list[Term | None] = [None if each == axis else step for each, step in enumerate(steps)]
    return indices.to(DType.INT64) * steps[axis] + counted(counts, others, len(dims))


def gather_nd(call: Call) -> Tensor:
    """GatherND; batches are counted, so that the rows of all of them are gathered at once."""
    batch, depth = call.attribute("batch_dims", 0), call.shape(1)[-1]
    if depth is None:
        call.refuse("the last size of the indices must be known")
    dims = sizes(call, 0, DType.INT64)
    addressed = packed(call, dims[batch : batch + depth])
    indices = from_start(given(call, 1).to(DType.INT64), addressed)
    if not batch:
        return call.emit("GatherNd", call.tensor(0), indices.tensor)
    steps = strides(dims[: batch + depth])
    numbers = (indices * packed(call, steps[batch:])).reduce("Sum", -1)
    starts = counted(dims[:batch], list(steps[:batch]), call.rank(1) - 1)
    rows = packed(call, [product(dims[: batch + depth]), *dims[batch + depth :]])
    flat = call.emit("Reshape", call.tensor(0), rows.tensor)
    return call.emit("GatherV2", flat, (numbers + starts).tensor, call.const(0, DType.INT32))


def array_feature_extractor(call: Call) -> Tensor:
    """Columns: Gather along the last axis by one row of indices."""
    columns = call.emit("Reshape", call.tensor(1), call.const([-1], DType.INT32))
    data = call.tensor(0)
    if call.rank(0) == 1:
        data = call.emit("ExpandDims", data, call.const(0, DType.INT32))
    return call.emit("GatherV2", data, columns, term(call, max(call.rank(0), 2) - 1).tensor)


RULES: Mapping[str, Rule] = {
    "Gather": gather,
    "GatherElements": gather_elements,
    "GatherND": gather_nd,
    "ai.onnx.ml::ArrayFeatureExtractor": array_feature_extractor,
}
