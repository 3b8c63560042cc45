"""A layer's operator on integers: its accumulator, exact as int32.

The operator runs on float32 that holds integers, whose offset is removed already.  GE keeps the offset in, pads with it
and takes ``bias - o sum(w)`` for the bias: the same sum.  Where float32 has every partial sum (`exact_sums`), bias
included, the accumulator is its result.  Else the weight is cut, and the results of its parts and the bias are added
in int32, which wraps around as an accumulator of 32 bits does.  Where even that could happen, the same is added in
float32: a difference of more than 2**31 is an accumulator that has wrapped, and the model counts them in an output of
its own.

A pooling has no weight; its mean of integers is that of float32: an exact sum, divided by the area.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from onnxpress.ascend.layers import Layer, array
from onnxpress.ascend.simulation.exact_sums import LIMIT, cut, reach
from onnxpress.ascend.simulation.node_writing import NodeWriter, attributes
from onnxpress.ascend.simulation.weight_axes import along_output, grouped, summed
from onnxpress.errors import UnsupportedModel

_WRAP = 2**31


@dataclass(frozen=True, kw_only=True)
class Accumulator:
    """The sums of a layer, its bias included.

    Attributes:
        integers: In int32; the mean of a pooling is float32 here, too.
        floats: In float32, where that has them all; else the integers.
        before_bias: The sums without a bias that a node of its own adds, in int32; else the integers.
        overflows: How many have wrapped around, int64, a scalar; None where none can.
    """

    integers: ir.Value
    floats: ir.Value
    before_bias: ir.Value
    overflows: ir.Value | None = None


def accumulator(writer: NodeWriter, layer: Layer, data: ir.Value) -> Accumulator:
    """The accumulator of `layer` on `data`, integers without offset in float32.

    Raises:
        UnsupportedModel: The window of a pooling is so large that float32 may not have the sum.
    """
    low, high = -128 - layer.offset, 127 - layer.offset
    if layer.weight is None:
        area = math.prod(layer.cube.attributes["kernel_shape"].as_ints())
        if area * max(high, -low) > LIMIT:
            raise UnsupportedModel(f"AveragePool {layer.cube.name!r} adds up {area} integers, too many to be exact")
        mean = _computed(writer, layer, data)
        return Accumulator(integers=mean, floats=mean, before_bias=mean)
    weight, axes = grouped(layer, array(layer.weight)), summed(layer)
    sums = most = reach(weight, axes, low, high)
    if layer.bias is not None:
        most = sums + np.abs(array(layer.bias).astype(np.int64)).reshape(_channels(layer, sums))
    if (most <= LIMIT).all():
        return _in_floats(writer, layer, data)
    parts = [layer.weight]
    if (sums > LIMIT).any():
        shape = array(layer.weight).shape
        parts = [writer.constant(part.reshape(shape)) for part in cut(weight, axes, low, high)]
    return _in_integers(writer, layer, data, parts, wraps=bool((most >= _WRAP).any()))


def _in_floats(writer: NodeWriter, layer: Layer, data: ir.Value) -> Accumulator:
    sums = _computed(writer, layer, data, layer.weight, None if layer.add is not None else layer.bias)
    before = writer.cast(sums, ir.DataType.INT32)
    if layer.add is None or layer.bias is None:
        return Accumulator(integers=before, floats=sums, before_bias=before)
    sums = writer.op("Add", sums, writer.cast(layer.bias, ir.DataType.FLOAT))
    return Accumulator(integers=writer.cast(sums, ir.DataType.INT32), floats=sums, before_bias=before)


def _in_integers(
    writer: NodeWriter, layer: Layer, data: ir.Value, parts: list[ir.Value], *, wraps: bool
) -> Accumulator:
    floats = [_computed(writer, layer, data, part) for part in parts]
    before = integers = _total(writer, [writer.cast(part, ir.DataType.INT32) for part in floats])
    if layer.bias is not None:
        bias = writer.constant(along_output(layer, array(layer.bias)))
        integers = writer.op("Add", before, bias)
        floats.append(writer.cast(bias, ir.DataType.FLOAT))
    return Accumulator(
        integers=integers,
        floats=integers,
        before_bias=integers if layer.add is None else before,
        overflows=_wrapped(writer, _total(writer, floats), integers) if wraps else None,
    )


def _computed(
    writer: NodeWriter, layer: Layer, data: ir.Value, weight: ir.Value | None = None, bias: ir.Value | None = None
) -> ir.Value:
    """The operator itself; weights stay int8 until they are used, and take as little memory as in the file."""
    constants = [writer.cast(constant, ir.DataType.FLOAT) for constant in (weight, bias) if constant is not None]
    return writer.op(layer.cube.op_type, data, *constants, **attributes(layer.cube))


def _wrapped(writer: NodeWriter, floats: ir.Value, integers: ir.Value) -> ir.Value:
    difference = writer.op("Abs", writer.op("Sub", floats, writer.cast(integers, ir.DataType.FLOAT)))
    beyond = writer.op("Greater", difference, np.float32(_WRAP), dtype=ir.DataType.BOOL)
    flat = writer.op("Reshape", writer.cast(beyond, ir.DataType.INT64), np.array([-1]))
    return writer.op("ReduceSum", flat, np.array([0]), keepdims=0)


def _total(writer: NodeWriter, terms: list[ir.Value]) -> ir.Value:
    return reduce(lambda sum_, term: writer.op("Add", sum_, term), terms)


def _channels(layer: Layer, sums: NDArray[Any]) -> tuple[int, ...]:
    """The shape of a bias beside the sums of a grouped weight; that of MatMul may have matrices in front."""
    return (-1,) if layer.cube.op_type == "MatMul" else sums.shape
