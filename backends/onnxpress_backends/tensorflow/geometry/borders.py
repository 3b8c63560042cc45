"""Elements added around a tensor or cut off it, by the number of them before and after each axis."""

from __future__ import annotations

from collections.abc import Sequence

from onnxpress_backends.tensorflow.call import Call
from onnxpress_backends.tensorflow.geometry.terms import Term, packed
from onnxpress_backends.tensorflow.graphs.dtypes import DType
from onnxpress_backends.tensorflow.graphs.graph import Tensor

Border = Sequence[tuple[Term, Term]]
"""For each axis, in the order of memory, the elements before it and after it; negative ones are cut off."""


def bordered(call: Call, tensor: Tensor, border: Border, fill: Tensor | None = None) -> Tensor:
    """`tensor` with elements added where `border` is positive; negative numbers must be known to be so, or not occur.

    Args:
        call: The node.
        tensor: What gets a border.
        border: How much, for every axis.
        fill: Scalar that the border holds; None: zero.
    """
    amounts = _matrix(call, border).least(0)
    if amounts.known is not None and not amounts.known.any():
        return tensor
    if fill is None:
        return call.emit("Pad", tensor, amounts.tensor)
    return call.emit("PadV2", tensor, amounts.tensor, fill)


def trimmed(call: Call, tensor: Tensor, border: Border) -> Tensor:
    """`tensor` with elements cut off where `border` is negative."""
    amounts = -_matrix(call, border).most(0)
    rank = len(border)
    if amounts.known is None:
        shape = Term(call, call.emit("Shape", tensor, out_type=DType.INT32))
        begin = packed(call, [before for before, _ in border]).most(0)
        left = shape - amounts.reduce("Sum", 1)
        return call.emit("Slice", tensor, (-begin).tensor, left.tensor)
    if not amounts.known.any():
        return tensor
    begins, ends = amounts.known.T
    return call.emit(
        "StridedSlice",
        tensor,
        call.const(begins, DType.INT32),
        call.const(-ends, DType.INT32),
        call.const([1] * rank, DType.INT32),
        end_mask=sum(1 << axis for axis, end in enumerate(ends) if end == 0),
    )


def _matrix(call: Call, border: Border) -> Term:
    return packed(call, [packed(call, pair) for pair in border])
