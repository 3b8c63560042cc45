"""Convert and compress models on the ONNX graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from onnxpress.hookspecs import hookimpl as hookimpl

if TYPE_CHECKING:
    from onnxpress.workflow import compress as compress
    from onnxpress.workflow import convert as convert

__version__ = "0.1.0"
__all__ = ["compress", "convert", "hookimpl"]


def __getattr__(name: str) -> Any:
    if name in ("compress", "convert"):
        from onnxpress import workflow

        return getattr(workflow, name)
    raise AttributeError(f"module 'onnxpress' has no attribute {name!r}")
