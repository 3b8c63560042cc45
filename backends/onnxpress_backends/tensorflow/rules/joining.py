"""Joining and taking apart along an axis, in whatever layout the tensors lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from onnxpress_backends.tensorflow.call import Call, Rule
from onnxpress_backends.tensorflow.geometry.terms import Term, given, packed, sizes, term
from onnxpress_backends.tensorflow.graphs.dtypes import DType
from onnxpress_backends.tensorflow.graphs.graph import Tensor
from onnxpress_backends.tensorflow.layout.broadcasting import aligned
from onnxpress_backends.tensorflow.layout.values import Laid, Value


def concat(call: Call) -> Laid | Value:
    """All inputs in the layout of which the fewest elements must be moved."""
    if len(call.values) == 1:
        return call.value(0)
    axis = call.attribute("axis")
    tensors, layout = aligned(call, call.values, whole=True)
    if layout is not None and layout.split is not None:
        tensors, layout = [value.tensor() for value in call.values], None
    place = axis if layout is None else layout.axis(axis)
    return Laid(call.emit("ConcatV2", tensors, call.const(place, DType.INT32)), layout)


def split(call: Call) -> Sequence[Laid]:
    """Parts of sizes that are given, or equal ones, of which the last may be smaller."""
    tensor, layout = call.value(0).permuted
    axis, parts = call.attribute("axis", 0), len(call.node.outputs)
    place = call.const(axis if layout is None else layout.axis(axis), DType.INT32)
    sizes_ = _part_sizes(call, axis, parts)
    if sizes_ is None or (sizes_.known is not None and len({int(size) for size in sizes_.known}) == 1):
        node = call.emit_node("Split", place, tensor, num_split=parts)
    else:
        node = call.emit_node("SplitV", tensor, sizes_.tensor, place, num_split=parts)
    return [Laid(Tensor(node, index), layout) for index in range(parts)]


def _part_sizes(call: Call, axis: int, parts: int) -> Term | None:
    """The size of each part; None: they are equal."""
    listed = call.attribute("split")
    if listed is not None:
        return term(call, listed)
    if call.has(1):
        return given(call, 1)
    if call.opset < 18:
        return None
    whole = sizes(call, 0)[axis]
    part = -((-whole) // parts)
    return packed(call, [*([part] * (parts - 1)), whole - part * (parts - 1)])


RULES: Mapping[str, Rule] = {
    "Concat": concat,
    "Split": split,
}
