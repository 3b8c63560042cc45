"""The target ``tflite``: what TFLite runs in integers once backend ``tflite`` has written it.

Activations are int8, and outputs of the network are rounded, too: TFLite has no kernel that takes integers and gives
float, and what is left without a scale stays float with weights of 32 bits.  The rules are those of operators that the
converter (TensorFlow 2.21) turns into integer kernels with the scales they are given; Sigmoid, Softmax and Tanh are not
among them, for their kernels have scales of their own.
"""

from __future__ import annotations

from dataclasses import replace

from onnxpress.kinds import Target
from onnxpress.targets import OpRule, Scheme
from onnxpress_plugins.quantization.onnxruntime_cpu import ONNXRUNTIME_CPU

_SHARED = ("Conv", "Gemm", "MatMul", "Add", "Mul", "Concat", "AveragePool", "GlobalAveragePool", "MaxPool")
_MOVING = ("Flatten", "Reshape", "Slice", "Squeeze", "Transpose", "Unsqueeze")

TFLITE = Target(
    name="tflite",
    summary="TFLite's integer kernels: int8 activations and outputs, int8 weights per channel, int32 biases",
    activation=Scheme(bits=8, signed=True),
    weight=Scheme(bits=8, signed=True, symmetric=True, per_channel=True, narrow=True),
    rules=(
        *(replace(rule, output="always") for rule in ONNXRUNTIME_CPU.rules if rule.op_type in (*_SHARED, *_MOVING)),
        OpRule(op_type="ReduceMean", inputs={0: "activation"}, worth="between"),
    ),
)
