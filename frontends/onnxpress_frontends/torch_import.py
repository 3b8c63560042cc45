"""The one door through which PyTorch and its ONNX exporter come in: late, and quiet."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from onnxpress.foreign import Framework

_EXTRA = "'onnxpress[torch]'"
_LOGGERS = ("torch", "torch.onnx", "torch.export", "torch._dynamo", "torch.fx", "onnxscript", "onnx_ir")
_TORCH = Framework(name="PyTorch", module="torch", install=_EXTRA, loggers=_LOGGERS)
_ONNXSCRIPT = Framework(name="onnxscript", module="onnxscript", install=_EXTRA, loggers=_LOGGERS)


def import_torch() -> Any:
    """The module `torch`.

    Raises:
        MissingDependency: It is not installed, or its installation is broken.
    """
    return _TORCH.load()


def import_exporter() -> Any:
    """The module `torch.onnx`.

    Raises:
        MissingDependency: PyTorch or onnxscript is not installed, or the installation is broken.
    """
    import_torch()
    _ONNXSCRIPT.load()
    import torch.onnx

    return torch.onnx


def quiet() -> AbstractContextManager[None]:
    """Silence what PyTorch and onnxscript log and warn; errors reach the user as exceptions."""
    return _TORCH.quiet()
