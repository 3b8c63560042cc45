"""Sizes of every tensor once what only the run decides has a size, so that layers can be compared.

The batch is taken to be one sample, every other dynamic dimension of an input is that of a sample, if there are data,
and `NOMINAL` otherwise, and ONNX infers the rest.  Where it cannot, or finds nothing to be left of an image that small,
`NOMINAL` is taken for the dimensions of the tensor itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import onnx_ir as ir

from onnxpress.errors import InvalidModel
from onnxpress.verify import infer_shapes

if TYPE_CHECKING:
    from onnxpress.kinds import Array, Dataset

NOMINAL = 224

Sizes = Callable[[ir.Value | None], "tuple[int, ...] | None"]


def nominal_sizes(model: ir.Model, data: Dataset | None = None) -> Sizes:
    """A function that gives the sizes of a value of `model`, None where not even their number is known."""
    copy, sample = model.clone(), next(iter(data), {}) if data is not None else {}
    for value in copy.graph.inputs:
        if value.shape is not None:
            value.shape = ir.Shape(_fixed(value.shape, sample.get(value.name or "")))
    for node in copy.graph.all_nodes():
        for value in node.outputs:
            value.shape = None
    for output in copy.graph.outputs:
        output.shape = None
    try:
        infer_shapes(copy)
    except InvalidModel:  # sizes that do not fit each other, say of two inputs that are added
        copy = model
    known = {value.name: value.shape for graph in copy.graphs() for value in _values(graph)}

    def sizes(value: ir.Value | None) -> tuple[int, ...] | None:
        if value is None:
            return None
        shape = known.get(value.name) or value.shape
        return None if shape is None else _fixed(shape)

    return sizes


def _values(graph: ir.Graph) -> list[ir.Value]:
    return [*graph.inputs, *graph.initializers.values(), *(value for node in graph for value in node.outputs)]


def _fixed(shape: ir.Shape, sample: Array | None = None) -> tuple[int, ...]:
    sizes = (NOMINAL,) * len(shape) if sample is None or sample.ndim != len(shape) else sample.shape
    return tuple(
        size if isinstance(size, int) and size > 0 else otherwise if axis else 1
        for axis, (size, otherwise) in enumerate(zip(shape, sizes, strict=True))
    )
