"""Which tensors can hold no negative number, by the operator that makes them."""

from __future__ import annotations

import onnx_ir as ir

from onnxpress.constants import array

_NEVER_NEGATIVE = {"Abs", "Exp", "HardSigmoid", "Relu", "Sigmoid", "Softmax", "Softplus"}


def never_negative(value: ir.Value | None) -> bool:
    """Whether `value` is made by an operator that gives nothing below zero."""
    maker = None if value is None else value.producer()
    if maker is None or maker.domain:
        return False
    if maker.op_type == "Clip":
        low = array(maker.inputs[1]) if len(maker.inputs) > 1 else None
        return low is not None and low.item() >= 0
    return maker.op_type in _NEVER_NEGATIVE
