"""The operators of TFLite in TensorFlow's, a family a file; what the table lacks has no ONNX form here."""

from __future__ import annotations

from onnxpress_frontends.tflite.operators import control_flow, elementwise, products, quantization, reductions, shaping
from onnxpress_frontends.tflite.operators.calling import Operators
from onnxpress_frontends.tflite.operators.control_flow import CALLED

__all__ = ["CALLED", "OPERATORS"]

OPERATORS: Operators = {
    **control_flow.OPERATORS,
    **elementwise.OPERATORS,
    **products.OPERATORS,
    **quantization.OPERATORS,
    **reductions.OPERATORS,
    **shaping.OPERATORS,
}
"""The format's name of every operator that is read, to how TensorFlow computes it."""
