"""What QuantizeLinear and DequantizeLinear become in TensorFlow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from onnxpress_backends.tensorflow.layout.constants import Grid

if TYPE_CHECKING:
    from onnxpress_backends.tensorflow.layout.values import Value

Mode = Literal["float", "fake-quant", "exact", "quantize-weights"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Quantized(Grid):
    """The output of a QuantizeLinear that nothing may need as integers.

    Attributes:
        source: What is quantised.
    """

    source: Value
