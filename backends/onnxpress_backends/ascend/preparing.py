"""What every writer for Ascend starts from: functions inlined, sizes fixed, shapes known, nothing it could not say."""

from __future__ import annotations

import onnx_ir as ir

from onnxpress import opset
from onnxpress.ascend.prototypes import OPSETS
from onnxpress.errors import UnsupportedModel
from onnxpress.verify import infer_shapes
from onnxpress_backends.ascend.fixed_sizes import sized
from onnxpress_backends.ascend.sinking import join_pairs
from onnxpress_backends.ascend.steps import DEQUANTIZE, dequantizes, quantizes, title
from onnxpress_backends.ascend.weights import is_quantized_weight

_OLDEST = 11
"""The opset at which Pad learnt to pad integers."""

_OWN_INTEGERS = ("ConvInteger", "DynamicQuantizeLinear", "MatMulInteger", "QLinearConv", "QLinearMatMul")
"""Operators that compute in integers by rules of their own."""

_RECURRENT = ("GRU", "LSTM", "RNN")


def prepared(model: ir.Model, *, batch: int | None = None) -> ir.Model:
    """A copy of a quantised model, ready to be rewritten.

    Args:
        model: The model; it is not changed.
        batch: Samples that go in at a time; None where the model itself fixes it.

    Raises:
        InvalidOption: `batch` contradicts the model.
        UnsupportedModel: A size is dynamic, the opset beyond ATC's, nothing quantised, or an operator computes in
            integers in a way that Ascend does not know.
    """
    copy = sized(model, batch=batch)
    if copy.functions:
        copy = ir.passes.common.InlinePass()(copy).model
    opset.at_least(copy, _OLDEST)
    _refuse(copy)
    infer_shapes(copy)
    join_pairs(copy)
    for node in copy.graph.all_nodes():
        if quantizes(node):
            _refuse_integer_users(node)
    return copy


def _refuse(model: ir.Model) -> None:
    version = model.opset_imports.get("", _OLDEST)
    if version not in OPSETS:
        raise UnsupportedModel(
            f"the model is at opset {version}, but ATC reads none above {OPSETS.stop - 1}; export it at opset "
            f"{OPSETS.stop - 1} or below"
        )
    nodes = list(model.graph.all_nodes())
    for node in nodes:
        _refuse_operator(node)
    if not any(dequantizes(node) for node in nodes):
        raise UnsupportedModel(
            f"the model has no {DEQUANTIZE}, so there is nothing to deploy in integers; recipe int8 with target "
            "ascend quantises it, or, without --out, tells why each layer stays float"
        )


def _refuse_operator(node: ir.Node) -> None:
    if node.op_type in _OWN_INTEGERS or (node.domain and node.op_type.startswith("QLinear")):
        raise UnsupportedModel(
            f"{title(node)} computes in integers in a way that Ascend does not know; give it QuantizeLinear and "
            "DequantizeLinear around float operators"
        )
    if node.op_type in _RECURRENT and any(is_quantized_weight(value) for value in node.inputs[1:3]):
        raise UnsupportedModel(
            f"{title(node)} has weights in integers, and recurrent layers in integers are not written; leave it float"
        )


def _refuse_integer_users(quantize: ir.Node) -> None:
    result = quantize.outputs[0]
    if result.is_graph_output():
        raise UnsupportedModel(
            f"{title(quantize)} makes output {result.name!r} of integers, but Ascend's quantised models give floats; "
            "put a DequantizeLinear behind it"
        )
    for use in result.uses():
        if not dequantizes(use.node):
            raise UnsupportedModel(
                f"{title(use.node)} reads the integers of {title(quantize)}, but on Ascend it computes in floats; "
                "put a DequantizeLinear between them"
            )
