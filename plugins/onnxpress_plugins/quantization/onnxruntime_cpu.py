"""The target ``onnxruntime-cpu``: what onnxruntime's CPU provider runs in integers.

Every rule was found by looking at the graph that onnxruntime 1.31 makes of a QDQ model, and a test holds each to
that.  uint8 activations with int8 weights is the pair its x86 kernels are made for; with int8 activations it leaves
every convolution float whose input or output is shared (MobileNetV2: 15 of 52).

What has no rule stays float although it could be asked for: ConvTranspose, Pad, Resize other than nearest, Sub, Div,
Tanh, Gelu, HardSigmoid, HardSwish, PRelu, ReduceMean and every normalisation have no integer kernel that QDQ reaches.

A Conv, ConvTranspose or Gemm with float weights between a DequantizeLinear and a QuantizeLinear does not stay float:
onnxruntime rounds its weights itself, with one scale for all of them (EfficientNet-Lite0 with a single depthwise
convolution excluded falls from 23 dB to 10 dB).  Hence they are guarded.
"""

from __future__ import annotations

from onnxpress.kinds import Target
from onnxpress.targets import OpRule, Role, Scheme

_VANISHING = ("Relu", "Clip")
_ONE_IN: dict[int, Role] = {0: "activation"}
_UNDILATED = tuple((1,) * rank for rank in (1, 2, 3))

_COMPUTING = (
    OpRule(
        op_type="Conv",
        inputs={0: "activation", 1: "weight", 2: "bias"},
        channel_axis=0,
        fused_activations=_VANISHING,
    ),
    OpRule(
        op_type="Gemm",
        inputs={0: "activation", 1: "weight", 2: "bias"},
        output="optional",
        channel_axis=1,
        transposed_by="transB",
        fused_activations=_VANISHING,
        attributes={"alpha": (1.0,), "beta": (1.0,), "transA": (0,)},
    ),
    OpRule(
        op_type="MatMul",
        inputs={0: "activation", 1: "operand"},
        output="optional",
        channel_axis=1,
        weight_ranks=(2,),
        fused_activations=_VANISHING,
    ),
)

_BETWEEN = (
    *(
        OpRule(op_type=op, inputs={-1: "activation"}, worth="between", fused_activations=_VANISHING)
        for op in ("Add", "Mul")
    ),
    OpRule(
        op_type="Concat",
        inputs={-1: "activation"},
        worth="between",
        shares_scale="may",
        fused_activations=_VANISHING,
    ),
    OpRule(op_type="AveragePool", inputs=_ONE_IN, worth="between", attributes={"dilations": _UNDILATED}),
    *(
        OpRule(op_type=op, inputs=_ONE_IN, worth="between")
        for op in ("GlobalAveragePool", "LeakyRelu", "Sigmoid", "Softmax")
    ),
)

_MOVING = (
    *(
        OpRule(op_type=op, inputs=_ONE_IN, worth="through", shares_scale="must")
        for op in (
            "DepthToSpace",
            "Expand",
            "Flatten",
            "Gather",
            "MaxPool",
            "ReduceMax",
            "Reshape",
            "Slice",
            "Split",
            "Squeeze",
            "Tile",
            "Transpose",
            "Unsqueeze",
        )
    ),
    OpRule(op_type="Resize", inputs=_ONE_IN, worth="through", shares_scale="must", attributes={"mode": ("nearest",)}),
)

ONNXRUNTIME_CPU = Target(
    name="onnxruntime-cpu",
    summary="onnxruntime on x86 CPUs: uint8 activations, int8 weights per channel, int32 biases",
    activation=Scheme(bits=8),
    weight=Scheme(bits=8, signed=True, symmetric=True, per_channel=True, narrow=True),
    rules=(*_COMPUTING, *_BETWEEN, *_MOVING),
    guarded=("Conv", "ConvTranspose", "Gemm"),
)
