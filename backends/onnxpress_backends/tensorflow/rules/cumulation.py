"""Sums and products of what came before along an axis: CumSum and CumProd."""

from __future__ import annotations

from collections.abc import Mapping

from onnxpress_backends.tensorflow.call import Call, Rule
from onnxpress_backends.tensorflow.graphs.dtypes import DType
from onnxpress_backends.tensorflow.layout.layouts import place
from onnxpress_backends.tensorflow.layout.values import Laid


def cumulation(op: str) -> Rule:
    """An operator that TensorFlow has under the name `op`; its axis may be computed."""

    def rule(call: Call) -> Laid:
        exclusive, reverse = bool(call.attribute("exclusive", 0)), bool(call.attribute("reverse", 0))
        known = call.constant(1)
        if known is None:
            axis = call.emit("Reshape", call.tensor(1), call.const([], DType.INT32))
            return Laid(call.emit(op, call.tensor(0), axis, exclusive=exclusive, reverse=reverse), None)
        tensor, layout = call.value(0).permuted
        axis = call.const(place(layout, int(known.reshape(()))), DType.INT32)
        return Laid(call.emit(op, tensor, axis, exclusive=exclusive, reverse=reverse), layout)

    return rule


RULES: Mapping[str, Rule] = {
    "CumProd": cumulation("Cumprod"),
    "CumSum": cumulation("Cumsum"),
}
