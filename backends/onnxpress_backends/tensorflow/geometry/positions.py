"""Where an element is: its number when the elements of a tensor are counted, from its indices along the axes.

    number(i0, i1, i2 ...) = i0 * stride0 + i1 * stride1 + ...        stride = product of the sizes of later axes

TensorFlow gathers and scatters rows; ONNX's GatherElements, ScatterElements and batched GatherND address elements, one
index given and the others counted.  Counted in one row, the two are the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from onnxpress_backends.tensorflow.call import Call
from onnxpress_backends.tensorflow.geometry.terms import Term, count, term
from onnxpress_backends.tensorflow.graphs.dtypes import DType
from onnxpress_backends.tensorflow.graphs.graph import Tensor
from onnxpress_backends.tensorflow.layout.layouts import Shape

_ON_PAPER = 4096
"""Positions up to which they are written as a constant."""


def sizes_in(call: Call, tensor: Tensor, shape: Shape) -> list[Term]:
    """The sizes of a tensor as it lies, INT64; those that are not known are read when the model runs.

    Args:
        call: The node.
        tensor: The tensor.
        shape: Its shape in memory.
    """
    if None not in shape:
        return [term(call, size or 0, DType.INT64) for size in shape]
    vector = Term(call, call.emit("Shape", tensor, out_type=DType.INT64))
    return [vector[axis] if size is None else term(call, size, DType.INT64) for axis, size in enumerate(shape)]


def strides(sizes: Sequence[Term]) -> list[Term]:
    """How many elements lie between neighbours along each axis."""
    call = sizes[0].call
    found = [term(call, 1, DType.INT64)]
    for size in reversed(sizes[1:]):
        found.append(found[-1] * size)
    return found[::-1]


def counted(sizes: Sequence[Term], steps: Sequence[Term | None], rank: int) -> Term:
    """The part of the number that comes of axes whose indices are counted.

    Args:
        sizes: How far each of the first axes is counted.
        steps: The stride of each; None: this axis is not counted.
        rank: Axes of the result; it has size 1 along those that are not counted.
    """
    call = sizes[0].call
    known = [int(size.known) for size in sizes if size.known is not None]
    small = len(known) == len(sizes) and prod(known) <= _ON_PAPER
    whole = term(call, 0, DType.INT64)
    for axis, (size, step) in enumerate(zip(sizes, steps, strict=True)):
        if step is not None:
            numbers = count(call, size)
            along = (numbers if small else Term(call, numbers.tensor)) * step
            whole = whole + along.at(*(other for other in range(rank) if other != axis))
    return whole
