"""Reductions over axes; the layout carries over where the axes are kept."""

from __future__ import annotations

from collections.abc import Mapping

from onnxpress_backends.tensorflow.call import Call, Rule
from onnxpress_backends.tensorflow.dtypes import DType
from onnxpress_backends.tensorflow.layouts import Layout
from onnxpress_backends.tensorflow.values import Laid, Value


def reduction(op: str) -> Rule:
    """A reduction that TensorFlow has under the name `op`."""

    def rule(call: Call) -> Laid | Value:
        axes = call.integers("axes", 1)
        if not axes and call.attribute("noop_with_empty_axes", 0):
            return call.value(0)
        tensor, layout = call.value(0).permuted
        keep = bool(call.attribute("keepdims", 1))
        rank = call.rank(0)
        gone = sorted(axis % rank for axis in (axes or range(rank)))
        places = gone if layout is None else sorted(layout.axis(axis) for axis in gone)
        result = call.emit(op, tensor, call.const(places, DType.INT32), keep_dims=keep)
        return Laid(result, layout if keep or layout is None else _without(layout, gone))

    return rule


def _without(layout: Layout, gone: list[int]) -> Layout:
    left = [axis for axis in range(layout.rank) if axis not in gone]
    return Layout(tuple(left.index(axis) for axis in layout.perm if axis in left))


RULES: Mapping[str, Rule] = {
    "ReduceMax": reduction("Max"),
    "ReduceMean": reduction("Mean"),
    "ReduceMin": reduction("Min"),
    "ReduceSum": reduction("Sum"),
}
