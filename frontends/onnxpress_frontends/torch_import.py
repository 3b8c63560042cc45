"""The one door through which PyTorch and its ONNX exporter come in: late, and quiet."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator
from typing import Any

from onnxpress.errors import MissingDependency

_LOGGERS = ("torch", "torch.onnx", "torch.export", "torch._dynamo", "torch.fx", "onnxscript", "onnx_ir")


def import_torch() -> Any:
    """The module `torch`.

    Raises:
        MissingDependency: It is not installed, or its installation is broken.
    """
    try:
        with quiet():
            import torch
            import torch.export
    except ImportError as error:
        raise MissingDependency(f"PyTorch cannot be imported ({error}); pip install 'onnxpress[torch]'") from error
    return torch


def import_exporter() -> Any:
    """The module `torch.onnx`, with onnxscript, which its exporter is made of.

    Raises:
        MissingDependency: One of them is not installed, or its installation is broken.
    """
    import_torch()
    try:
        with quiet():
            import onnxscript  # noqa: F401
            import torch.onnx
    except ImportError as error:
        raise MissingDependency(
            f"the ONNX exporter of PyTorch cannot be imported ({error}); pip install 'onnxpress[torch]'"
        ) from error
    return torch.onnx


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence what PyTorch and onnxscript log and warn; errors reach the user as exceptions."""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
