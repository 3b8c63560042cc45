"""The operators that GE, Ascend's graph engine, adds to ONNX and TensorFlow for integers, and the words they use.

    AscendQuant      q = saturate(rint(x * scale + offset))         scale is the reciprocal of the step scale_d
    AscendDequant    y = accumulator * deq_scale[c]                 deq_scale = scale_d * scale_w[c]
    AscendAntiQuant  y = (q + offset) * scale

between the first two stands the operator itself with int8 weights and an int32 bias.  The offset of the activation is
in neither: whoever executes the file subtracts it, and pads with it.  Sources: the prototypes of GE
(``hicann/ops-nn``, ``quant/``) and what AMCT writes (``hicann/amct``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

QUANT = "AscendQuant"
DEQUANT = "AscendDequant"
ANTI_QUANT = "AscendAntiQuant"
WEIGHT_QUANT = "AscendWeightQuant"

OPERATORS = (QUANT, DEQUANT, ANTI_QUANT, WEIGHT_QUANT)

CUBES = ("Conv", "ConvTranspose", "Gemm", "MatMul", "AveragePool")
"""The ONNX operators that compute in integers between AscendQuant and AscendDequant."""

NARROW = 16
"""Input channels up to which GE rolls a layer back to float16."""

SMALLEST_SCALE = np.float32(2.0**-23)
"""The least step; the reciprocal of anything below is more than AscendQuant takes."""


def pack(deq_scale: ArrayLike) -> NDArray[np.uint64]:
    """AscendDequant's words: the bits of the float32 in the low half, nothing in the high half.

    Args:
        deq_scale: Positive float32, any shape.

    Returns:
        uint64 of the same shape.
    """
    return np.asarray(deq_scale, dtype=np.float32).view(np.uint32).astype(np.uint64)


def unpack(words: NDArray[np.uint64]) -> NDArray[np.float32]:
    """The deq_scale in AscendDequant's words; the high half is left to `shift` and `weight_offset`."""
    low: NDArray[Any] = (np.asarray(words, dtype=np.uint64) & np.uint64(0xFFFFFFFF)).astype(np.uint32)
    return low.view(np.float32)


def shift(words: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Bits 32 to 39: by how much old tools shift the accumulator to the right, 0 for not at all."""
    return ((np.asarray(words, dtype=np.uint64) >> np.uint64(32)) & np.uint64(0xFF)).astype(np.uint8)


def weight_offset(words: NDArray[np.uint64]) -> NDArray[np.int8]:
    """Bits 40 to 47: the offset of the weights, 0 since weights are symmetric."""
    return ((np.asarray(words, dtype=np.uint64) >> np.uint64(40)) & np.uint64(0xFF)).astype(np.uint8).view(np.int8)
