"""ONNX files out: one ``.onnx``, with its weights beside it when they pass what protobuf can hold."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from onnxpress.kinds import Backend

if TYPE_CHECKING:
    import onnx_ir as ir


def emit(model: ir.Model, path: Path, *, external_data: bool | None = None) -> list[Path]:
    """Write `model` to `path`, atomically.

    Args:
        model: The model; it is not changed.
        path: Where the file goes.
        external_data: Weights in ``<name>.data`` beside it.  None: only when they pass 2 GB.

    Returns:
        The files written, the model first.

    Raises:
        InvalidModel: The weights pass 2 GB and `external_data` is False.
        OnnxpressError: The place cannot be written.
    """
    from onnxpress import model_files

    return model_files.save(model, path, external_data=external_data)


ONNX = Backend(
    name="onnx",
    summary="ONNX files; weights over 2 GB go into a file beside the model",
    emit=emit,
    suffixes=(".onnx",),
)
