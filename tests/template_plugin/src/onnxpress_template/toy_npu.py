"""A made-up accelerator: symmetric int8 everywhere, one scale per tensor, and only convolutions and matrix products."""

from __future__ import annotations

from onnxpress.kinds import Target
from onnxpress.targets import OpRule, Role, Scheme

_INT8 = Scheme(bits=8, signed=True, symmetric=True, narrow=True)
_LINEAR: dict[int, Role] = {0: "activation", 1: "weight", 2: "bias"}

TOY_NPU = Target(
    name="toy-npu",
    summary="A made-up accelerator with symmetric int8 and no zero points",
    activation=_INT8,
    weight=_INT8,
    rules=(
        OpRule(op_type="Conv", inputs=_LINEAR, channel_axis=0, fused_activations=("Relu",)),
        OpRule(op_type="Gemm", inputs=_LINEAR, channel_axis=1, transposed_by="transB"),
        OpRule(op_type="MaxPool", inputs={0: "activation"}, worth="through", shares_scale="must"),
    ),
)
