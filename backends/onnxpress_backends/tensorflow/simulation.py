"""What QuantizeLinear and DequantizeLinear become in TensorFlow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from onnxpress_backends.tensorflow.values import Value

Mode = Literal["float", "fake-quant", "exact", "quantize-weights"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Quantized:
    """The output of a QuantizeLinear that nothing may need as integers.

    Attributes:
        source: What is quantised.
        scale: Float32 scalar, or one per channel.
        zero_point: Integers of the same shape; their type is that of the output.
        axis: The ONNX axis of the channels; None per tensor.
    """

    source: Value
    scale: NDArray[np.float32]
    zero_point: NDArray[Any]
    axis: int | None
