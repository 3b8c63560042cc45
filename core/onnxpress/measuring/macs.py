"""Multiply-accumulates of a node from its shapes.

    convolution             elements of the output x inputs per output        (weight ``[out, in/groups, kernel...]``)
    transposed convolution  elements of the input x outputs per input         (weight ``[in, out/groups, kernel...]``)
    matrix product          elements of the output x inner dimension

The integer operators of ONNX and onnxruntime count like the float ones; their weight is another input.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

WEIGHT_INPUT = {
    **dict.fromkeys(("Conv", "FusedConv", "NhwcFusedConv", "ConvInteger", "ConvTranspose"), 1),
    **dict.fromkeys(("Gemm", "FusedGemm", "MatMul", "FusedMatMul", "MatMulInteger"), 1),
    **dict.fromkeys(("MatMulIntegerToFloat", "DynamicQuantizeMatMul"), 1),
    **dict.fromkeys(("QLinearConv", "QGemm", "QLinearMatMul"), 3),
}
"""Position of the weight, or of the second factor, for every operator that multiplies and accumulates."""

Shape = Sequence[int]


def macs(op_type: str, data: Shape, weight: Shape, output: Shape, *, transposed: bool = False) -> int:
    """Multiply-accumulates of one run of a node.

    Args:
        op_type: A key of `WEIGHT_INPUT`.
        data: Shape of the first input.
        weight: Shape of the weight.
        output: Shape of the output.
        transposed: Whether the node transposes a two-dimensional weight (Gemm's ``transB``).
    """
    if op_type == "ConvTranspose":
        return prod(data) * prod(weight[1:])
    if "Conv" in op_type:
        return prod(output) * prod(weight[1:])
    inner = weight[0] if len(weight) == 1 else weight[-1] if transposed else weight[-2]
    return prod(output) * inner


def is_depthwise(op_type: str, weight: Shape, groups: int) -> bool:
    """Whether every output channel of a convolution sees one of several input channels."""
    return "Conv" in op_type and groups > 1 and weight[1] == 1
