"""Backend ``amct-record``: the scales of a quantised model as AMCT's record file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from onnxpress.kinds import WARNINGS_KEY, Backend

if TYPE_CHECKING:
    import onnx_ir as ir


def emit(model: ir.Model, path: Path) -> list[Path]:
    """Write the scales of `model` to `path`, atomically.

    Args:
        model: A quantised model; only its `meta` is changed: it gets what the user must know, under `WARNINGS_KEY`.
        path: Where the file goes.

    Returns:
        The file.

    Raises:
        InvalidModel: A scale is not positive and finite.
        UnsupportedModel: Nothing is quantised, or a layer is quantised as Ascend cannot say it.
        OnnxpressError: The place cannot be written.
    """
    from onnxpress.ascend import record_files
    from onnxpress_backends.ascend.recording import recorded

    warnings: list[str] = []
    record_files.save(recorded(model, warnings), path)
    model.meta[WARNINGS_KEY] = warnings
    return [path]


AMCT_RECORD = Backend(
    name="amct-record",
    summary="Record files of AMCT: the scales of a quantised model as protobuf text",
    emit=emit,
    suffixes=(".record",),
)
