"""What AMCT's frameworks call their layers, in the operators of ONNX.

PyTorch tells convolutions apart by their dimensions, TensorFlow the depthwise ones from the others.  Every other word
is the name of an ONNX operator itself, as in AMCT's variant for ONNX.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx_ir as ir


@dataclass(frozen=True, kw_only=True)
class LayerType:
    """Which nodes a framework's word is for.

    Attributes:
        operators: Their operators.
        weight_rank: Rank of their weight; None for any.
        depthwise: Whether each group has one input channel, with more groups than one; None for either.
    """

    operators: tuple[str, ...]
    weight_rank: int | None = None
    depthwise: bool | None = None


LAYER_TYPES: Mapping[str, LayerType] = {
    "Conv1d": LayerType(operators=("Conv",), weight_rank=3),
    "Conv2d": LayerType(operators=("Conv",), weight_rank=4),
    "Conv3d": LayerType(operators=("Conv",), weight_rank=5),
    "ConvTranspose1d": LayerType(operators=("ConvTranspose",), weight_rank=3),
    "ConvTranspose2d": LayerType(operators=("ConvTranspose",), weight_rank=4),
    "Linear": LayerType(operators=("Gemm", "MatMul")),
    "AvgPool2d": LayerType(operators=("AveragePool",)),
    "Conv2D": LayerType(operators=("Conv",), weight_rank=4, depthwise=False),
    "Conv3D": LayerType(operators=("Conv",), weight_rank=5),
    "DepthwiseConv2dNative": LayerType(operators=("Conv",), weight_rank=4, depthwise=True),
    "Conv2DBackpropInput": LayerType(operators=("ConvTranspose",), weight_rank=4),
    "BatchMatMul": LayerType(operators=("MatMul",)),
    "BatchMatMulV2": LayerType(operators=("MatMul",)),
    "AvgPool": LayerType(operators=("AveragePool",)),
}
"""By the framework's word."""

LAYERS = ("Conv", "Gemm", "MatMul", "ConvTranspose", "AveragePool")
"""The operators that AMCT quantises."""

RECURRENT = ("LSTM", "GRU")
"""Those that AMCT for PyTorch quantises too, and that stay float here."""

ONE_SCALE = ("Gemm", "MatMul", "AveragePool")
"""Those whose weights AMCT gives one scale."""


def operators(name: str) -> tuple[str, ...]:
    """The operators that a word may stand for, itself if no framework has the word."""
    known = LAYER_TYPES.get(name)
    return (name,) if known is None else known.operators


def is_of_type(node: ir.Node, name: str) -> bool:
    """Whether `node` is what a framework, or ONNX, calls `name`."""
    known = LAYER_TYPES.get(name)
    if known is None or node.op_type not in known.operators:
        return node.op_type == name
    shape = node.inputs[1].shape if len(node.inputs) > 1 and node.inputs[1] is not None else None
    if known.weight_rank is not None and shape is not None and len(shape) != known.weight_rank:
        return False
    return known.depthwise in (None, _is_depthwise(node, shape))


def _is_depthwise(node: ir.Node, weight: ir.Shape | None) -> bool:
    return node.attributes.get_int("group", 1) > 1 and weight is not None and len(weight) > 1 and weight[1] == 1
