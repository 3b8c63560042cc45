"""What changes between integers and the numbers that they stand for.

Quantised tensors are computed in float32 and put onto their grids where they are made, so that nothing is left to do.
"""

from __future__ import annotations

from typing import Any

from onnxpress_frontends.tensorflow_import import import_tensorflow
from onnxpress_frontends.tflite.operators.calling import Call, Operators


def _quantized(call: Call) -> Any:
    if call.outputs[0].grid is None:
        raise call.refused("its result has no scale")
    return call.operands[0]


def _dequantized(call: Call) -> Any:
    return import_tensorflow().cast(call.operands[0], call.dtype)


OPERATORS: Operators = {
    "DEQUANTIZE": _dequantized,
    "QUANTIZE": _quantized,
}
"""The format's name to how TensorFlow computes it."""
