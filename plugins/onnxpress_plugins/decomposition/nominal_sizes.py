"""Sizes of every tensor once what only the run decides has a size, so that layers can be compared.

The batch is taken to be one sample, every other dynamic dimension of an input `NOMINAL`, and ONNX infers the rest.
Where it cannot, the same is taken for the dimensions of the tensor itself.
"""

from __future__ import annotations

from collections.abc import Callable

import onnx_ir as ir

from onnxpress.errors import InvalidModel
from onnxpress.verify import infer_shapes

NOMINAL = 224

Sizes = Callable[[ir.Value | None], "tuple[int, ...] | None"]


def nominal_sizes(model: ir.Model) -> Sizes:
    """A function that gives the sizes of a value of `model`, None where not even their number is known."""
    copy = model.clone()
    for value in copy.graph.inputs:
        if value.shape is not None:
            value.shape = ir.Shape(_fixed(value.shape))
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


def _fixed(shape: ir.Shape) -> tuple[int, ...]:
    return tuple(size if isinstance(size, int) else NOMINAL if axis else 1 for axis, size in enumerate(shape))
