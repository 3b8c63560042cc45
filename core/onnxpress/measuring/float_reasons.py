"""Why onnxruntime runs a node of a quantised model in float: its fusion rules, read off the optimised graph.

The rules were probed node by node with onnxruntime 1.31 on x86: which operators have an integer kernel at all, and what
must surround the others.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx_ir as ir

NO_INTEGER_KERNEL = frozenset(
    {
        *(
            "ConvTranspose",
            "Sub",
            "Div",
            "Pow",
            "Sqrt",
            "Exp",
            "Log",
            "Erf",
            "Gelu",
            "Tanh",
            "HardSigmoid",
            "HardSwish",
        ),
        *("Pad", "Resize", "Upsample", "ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "LSTM", "GRU", "RNN"),
        *("LayerNormalization", "SkipLayerNormalization", "InstanceNormalization", "GroupNormalization", "Einsum"),
        *("BatchNormalization", "LRN", "PRelu", "Elu", "Selu", "Softplus", "LogSoftmax", "Max", "Min", "QuickGelu"),
    }
)
"""Operators that onnxruntime's CPU runs only in float, or, as Resize, whose linear form it does."""

FUSED_ACTIVATIONS = ("Relu", "Clip")
"""Activations that become part of an integer convolution."""

_FLOAT_NAMES = {
    **{"FusedConv": "Conv", "NhwcFusedConv": "Conv", "FusedGemm": "Gemm", "FusedMatMul": "MatMul"},
    **{"BiasGelu": "Gelu", "FastGelu": "Gelu"},
}
_LAYOUT = ("ReorderInput", "ReorderOutput", "Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze")
_NEEDS_QUANTIZED_OUTPUT = {"Conv", "Add", "Mul", "Concat", "AveragePool", "GlobalAveragePool", "Sigmoid", "Softmax"}


def reason(node: ir.Node) -> str:
    """Why `node`, a float node of onnxruntime's optimised graph, is not integer, in a few words."""
    op_type = _FLOAT_NAMES.get(node.op_type, node.op_type)
    if op_type in NO_INTEGER_KERNEL:
        return f"onnxruntime has no int8 kernel for {op_type}"
    if op_type in FUSED_ACTIVATIONS:
        return f"a {op_type} is integer only as part of the operator before it: quantise once, behind it"
    return next(_breaches(node, op_type), "onnxruntime did not fuse it")


def _breaches(node: ir.Node, op_type: str) -> Iterator[str]:
    factors = [value for value in node.inputs[:2] if value is not None]
    if factors and not _dequantized(factors[0]):
        yield "its input is not quantised"
    if op_type in ("Conv", "Gemm", "MatMul") and len(factors) > 1 and not _dequantized(factors[1]):
        yield "its weight is not quantised"
    if op_type in ("Add", "Mul") and not all(map(_dequantized, factors)):
        yield "one of its inputs is not quantised"
    activation = node.attributes.get_string("activation")
    if activation and activation not in FUSED_ACTIVATIONS:
        yield f"onnxruntime does not fuse {activation} into an int8 {op_type}"
    if not _bias_scale_is_exact(node):
        yield "the scale of its bias is not the product of the scales of input and weight"
    if op_type in _NEEDS_QUANTIZED_OUTPUT:
        behind = [user.op_type for value in node.outputs for user, _ in value.uses()]
        if "QuantizeLinear" not in behind:
            yield f"no QuantizeLinear behind it, but {', '.join(dict.fromkeys(behind)) or 'an output of the model'}"
        if len(behind) > 1:
            yield "its result is used in float too"
    sources = [_source(value) for value in node.inputs[:1]] + [
        user for value in node.outputs for user, _ in value.uses()
    ]
    if any(map(_is_signed, sources)):
        yield "its activations are int8; on x64 onnxruntime fuses uint8 more often"


def _dequantized(value: ir.Value | None) -> bool:
    return _source(value) is not None


def _source(value: ir.Value | None) -> ir.Node | None:
    """The DequantizeLinear that `value` comes from, changes of layout aside."""
    producer = None if value is None else value.producer()
    while producer is not None and producer.op_type in _LAYOUT and producer.inputs[0] is not None:
        producer = producer.inputs[0].producer()
    return producer if producer is not None and producer.op_type == "DequantizeLinear" else None


def _is_signed(node: ir.Node | None) -> bool:
    """Whether a QuantizeLinear or DequantizeLinear has a signed integer."""
    if node is None or node.op_type not in ("QuantizeLinear", "DequantizeLinear") or len(node.inputs) < 3:
        return False
    zero_point = node.inputs[2]
    return zero_point is not None and zero_point.dtype is not None and zero_point.dtype.is_signed()


def _bias_scale_is_exact(node: ir.Node) -> bool:
    sources = [_source(value) for value in node.inputs[:3]]
    scales = [source.inputs[1].const_value for source in sources if source is not None and source.inputs[1] is not None]
    if len(scales) < 3 or any(scale is None for scale in scales):
        return True
    data, weight, bias = (scale.numpy().ravel() for scale in scales if scale is not None)
    return bool(np.allclose(data * weight, bias, rtol=1e-5, atol=0))
