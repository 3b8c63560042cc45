"""Names of unknown dimensions: ``N`` for the batch, stable ones for the rest, where tf2onnx has ``unk__14``.

A dimension of an output that shape inference finds to be one of an input keeps its name.  A first dimension that is
still unknown is taken to be the batch; any other is called after its input or output, e.g. ``image_dim_1``.
"""

from __future__ import annotations

from collections.abc import Iterable

import onnx_ir as ir

from onnxpress.verify import verify

BATCH = "N"


def settle_dimensions(model: ir.Model) -> None:
    """Name the unknown dimensions of inputs and outputs, and infer every shape between them.

    Raises:
        InvalidModel: The shapes contradict each other.
    """
    for graph in model.graphs():
        for value in (*graph.inputs, *(value for node in graph for value in node.outputs)):
            _name(value, known=(), invent=False)
    for value in model.graph.inputs:
        _name(value, known=(), invent=True)
    verify(model)
    known = {size.value for value in model.graph.inputs for size in value.shape or () if not isinstance(size, int)}
    for value in model.graph.outputs:
        _name(value, known=known, invent=True)


def _name(value: ir.Value, *, known: Iterable[str | None], invent: bool) -> None:
    if value.shape is None:
        return
    sizes: list[int | str | None] = []
    for axis, size in enumerate(value.shape):
        invented = (BATCH if axis == 0 else f"{value.name}_dim_{axis}") if invent else None
        sizes.append(size if isinstance(size, int) else size.value if size.value in known else invented)
    value.shape = ir.Shape(sizes)
