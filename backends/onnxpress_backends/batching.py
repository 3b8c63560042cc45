"""A model whose batch has a fixed size, as delegates of TFLite like it and Ascend needs it."""

from __future__ import annotations

import onnx_ir as ir

from onnxpress.errors import InvalidOption


def with_batch(model: ir.Model, batch: int) -> ir.Model:
    """A copy of `model` that takes `batch` samples at a time.

    Args:
        model: The model; it is not changed.
        batch: Samples, at least one.

    Raises:
        InvalidOption: An input has another fixed size there.
    """
    if batch < 1:
        raise InvalidOption(f"a batch has at least one sample, not {batch}")
    model = model.clone()
    for value in model.graph.inputs:
        if not value.shape or value.is_initializer():
            continue
        if isinstance(value.shape[0], int) and value.shape[0] != batch:
            raise InvalidOption(
                f"input {value.name!r} takes {value.shape[0]} samples, not {batch}; leave out the batch"
            )
        value.shape = ir.Shape([batch, *value.shape[1:]])
    computed = [output for node in model.graph.all_nodes() for output in node.outputs]
    for output in computed:
        if output.shape is not None and not output.shape.is_static():
            output.shape = ir.Shape(size if isinstance(size, int) else None for size in output.shape)  # inferred again
    return model
