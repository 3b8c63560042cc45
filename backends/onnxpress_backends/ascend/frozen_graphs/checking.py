"""What must hold of a frozen graph for ATC: the layers that GE recognises, and what their constants and attributes say.

    x -> AscendQuant -> [Pad] -> Conv2D | DepthwiseConv2dNative -> [BiasAdd] -> AscendDequant -> y
    x -> AscendQuant -> Conv3D | Conv2DBackpropInput | MatMul -> [BiasAdd] -> AscendDequant -> y
    x -> AscendQuant -> BatchMatMulV2 -> [Add] -> AscendDequant -> y
    x -> AscendQuant -> Split -> Conv2D -> [BiasAdd], for each part -> ConcatV2 -> AscendDequant -> y
    x -> AscendQuant -> AvgPool -> AscendDequant(ksize) -> y
    x -> AscendQuant -> [MaxPool] -> AscendAntiQuant -> y

A weight is AscendWeightQuant of an int8 Const, a bias is a Cast of an int32 Const.  Source: the patterns of GE's
TfMergeWeightQuantFusionPass, and the operators that Ascend's adapter for TensorFlow registers.
"""

from __future__ import annotations

_BIASES = {"BatchMatMulV2": "Add"}
"""What brings the bias where it is no BiasAdd."""

_PADDED = ("Conv2D", "DepthwiseConv2dNative")
_DATA = {"Conv2DBackpropInput": 2}
"""Which input is the data, where it is not the first."""

_CHANNELS: dict[str, tuple[int, ...]] = {
    "BatchMatMulV2": (-1,),
    "Conv2D": (3,),
    "Conv2DBackpropInput": (2,),
    "Conv3D": (4,),
    "DepthwiseConv2dNative": (2, 3),
    "MatMul": (-1,),
}
"""The axes of the weight that make the output channels."""
