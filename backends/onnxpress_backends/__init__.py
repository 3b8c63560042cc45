"""The built-in backends: writers of ONNX files."""

from __future__ import annotations

from collections.abc import Iterable

from onnxpress import hookimpl
from onnxpress.kinds import Backend


@hookimpl
def onnxpress_backends() -> Iterable[Backend]:
    """Every backend of this package."""
    from onnxpress_backends.onnx_files import ONNX

    yield ONNX
