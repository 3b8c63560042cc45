"""Ascend's quantised models are static: every size of every input is a number, the batch by an option if need be."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from onnxpress.errors import UnsupportedModel

if TYPE_CHECKING:
    import onnx_ir as ir


def sized(model: ir.Model, *, batch: int | None = None) -> ir.Model:
    """A copy of a model whose inputs have sizes that are fixed.

    Args:
        model: The model; it is not changed.
        batch: Samples that go in at a time; None where the model itself fixes it.

    Raises:
        InvalidOption: `batch` contradicts the model.
        UnsupportedModel: A size is dynamic.
    """
    from onnxpress_backends.batching import with_batch

    copy = model.clone() if batch is None else with_batch(model, batch)
    for value in copy.graph.inputs:
        sizes = [None] if value.shape is None else list(value.shape)
        if not all(isinstance(size, int) for size in sizes):
            only_batch = value.shape is not None and all(isinstance(size, int) for size in sizes[1:])
            way_out = "fix its batch with --batch N" if only_batch else "fix it where the model is exported"
            raise UnsupportedModel(
                f"input {value.name!r} has the dynamic shape {value.shape}, but Ascend's quantised models are static; "
                f"{way_out}"
            )
    return copy


def check(model: ir.Model, path: Path, *, batch: int | None = None) -> None:
    """Refuse sizes before passes are run: they leave inputs as they are; arguments and errors as for `sized`."""
    sized(model, batch=batch)
