"""Operators that TensorFlow's CPU has no kernel of for narrow types: computed in a wider one, and narrowed again.

TensorFlow registers more types than it has kernels for, and tells only when the graph runs.  Every value of the narrow
type is one of the wider type, so that what is exact there is exact here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from onnxpress_backends.tensorflow.call import Call
from onnxpress_backends.tensorflow.graphs.dtypes import DType
from onnxpress_backends.tensorflow.graphs.graph import Tensor

WIDER: Mapping[DType, DType] = {
    DType.HALF: DType.FLOAT,
    DType.BFLOAT16: DType.FLOAT,
    DType.INT8: DType.INT32,
    DType.UINT8: DType.INT32,
    DType.INT16: DType.INT32,
    DType.UINT16: DType.INT32,
    DType.UINT32: DType.INT64,
}
"""The type of a kernel that holds every value of a type that may have none."""

LACKING: Mapping[str, frozenset[DType]] = {
    "Tile": frozenset({DType.UINT16}),
    "TruncateMod": frozenset(WIDER),
}
"""Types that an operator has no CPU kernel for, of those it is defined for (TensorFlow 2.21)."""


def widened(call: Call, op: str, *inputs: Tensor, **attrs: Any) -> Tensor:
    """Write `op`, whose inputs and output are of one type, in that type or the next that has a kernel.

    Args:
        call: The node.
        op: TensorFlow's operator.
        *inputs: Its inputs.
        **attrs: Its attributes.

    Returns:
        The result, of the type of the inputs.
    """
    given = inputs[0].dtype
    if given not in LACKING.get(op, ()):
        return call.emit(op, *inputs, **attrs)
    wide = [call.cast(tensor, WIDER[given]) for tensor in inputs]
    return call.cast(call.emit(op, *wide, **attrs), given)
