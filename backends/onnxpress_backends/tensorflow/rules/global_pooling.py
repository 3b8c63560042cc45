"""Pooling over whole pictures: reductions over the spatial axes, in whatever layout the picture lies."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from onnxpress_backends.tensorflow.call import Call, Rule
from onnxpress_backends.tensorflow.graphs.dtypes import DType
from onnxpress_backends.tensorflow.graphs.graph import Tensor
from onnxpress_backends.tensorflow.layout.values import Laid
from onnxpress_backends.tensorflow.rules.pooling import power, root


def over_space(reduce: Callable[[Call, Tensor, Tensor], Tensor]) -> Rule:
    """A reduction over the spatial axes, which stay with size 1."""

    def rule(call: Call) -> Laid:
        rank = call.rank(0)
        tensor, layout = call.value(0).permuted
        places = range(2, rank) if layout is None else sorted(layout.axis(axis) for axis in range(2, rank))
        return Laid(reduce(call, tensor, call.const(places, DType.INT32)), layout)

    return rule


def _average(call: Call, tensor: Tensor, axes: Tensor) -> Tensor:
    return call.emit("Mean", tensor, axes, keep_dims=True)


def _largest(call: Call, tensor: Tensor, axes: Tensor) -> Tensor:
    return call.emit("Max", tensor, axes, keep_dims=True)


def _norm(call: Call, tensor: Tensor, axes: Tensor) -> Tensor:
    p = call.attribute("p", 2)
    return root(call, call.emit("Sum", power(call, tensor, p), axes, keep_dims=True), p)


RULES: Mapping[str, Rule] = {
    "GlobalAveragePool": over_space(_average),
    "GlobalLpPool": over_space(_norm),
    "GlobalMaxPool": over_space(_largest),
}
