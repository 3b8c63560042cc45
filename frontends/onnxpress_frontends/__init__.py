"""The built-in frontends: readers of ONNX files, TensorFlow models, TFLite files and PyTorch modules."""

from __future__ import annotations

from collections.abc import Iterable

from onnxpress import hookimpl
from onnxpress.kinds import Frontend


@hookimpl
def onnxpress_frontends() -> Iterable[Frontend]:
    """Every frontend of this package."""
    from onnxpress_frontends.onnx_source import ONNX
    from onnxpress_frontends.tensorflow_source import TENSORFLOW
    from onnxpress_frontends.tflite_source import TFLITE
    from onnxpress_frontends.torch_source import TORCH

    yield from (ONNX, TENSORFLOW, TFLITE, TORCH)
