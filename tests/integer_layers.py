"""The layers of a model with QuantizeLinear and DequantizeLinear as sums of integers: numpy, int64, nothing shared.

    accumulator = sum over taps of (q - zero point) * w + b          output = float32(accumulator) * scale

with the integers that the model stores; padding adds nothing.  This is what every file and every simulator of such a
model is held to.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import onnx_ir as ir

Numbers = np.ndarray[Any, Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class IntegerLayer:
    """One operator between DequantizeLinear and float, as the graph stores it.

    Attributes:
        node: The operator.
        source: What is quantised for it.
        scale: float32, of the data.
        zero_point: Of the data.
        pads: Zeros around the data, ``(before, behind)`` for each axis.
        weight: Integers in the order of the operator; None for a pooling.
        weight_scale: float32, of each output channel, or of all.
        bias: Integers, or floats that are still to be rounded; None if there is none.
        output: What holds the result, bias included.
    """

    node: ir.Node
    source: str
    scale: np.float32
    zero_point: int
    pads: list[tuple[int, int]]
    weight: Numbers | None
    weight_scale: Numbers
    bias: Numbers | None
    output: str

    @property
    def step(self) -> Numbers:
        """The step of the accumulator, float32."""
        return np.asarray(self.scale * self.weight_scale, np.float32)

    def accumulator(self, quantised: Numbers) -> Numbers:
        """The sums for int8 data, int64; of a pooling, the mean in float32."""
        data = np.pad(quantised.astype(np.int64) - self.zero_point, self.pads)
        if self.weight is None:
            return _mean(self.node, data)
        sums = _SUMS[self.node.op_type](self.node, data, self.weight.astype(np.int64))
        if self.bias is None:
            return sums
        bias = self.bias
        if bias.dtype.kind == "f":
            bias = np.rint(bias.astype(np.float64) / self.step.astype(np.float64))
        return sums + self.along_channels(bias.astype(np.int64), sums.ndim)

    def floats(self, accumulator: Numbers) -> Numbers:
        """What the layer gives."""
        return accumulator.astype(np.float32) * self.along_channels(self.step, accumulator.ndim)

    def along_channels(self, numbers: Numbers, rank: int) -> Numbers:
        """One number for each output channel, in a shape that broadcasts to the output."""
        last = self.node.op_type in ("Gemm", "MatMul")
        return numbers.reshape(-1) if last else numbers.reshape(-1, *(1 for _ in range(rank - 2)))


def integer_layers(model: ir.Model) -> Iterator[IntegerLayer]:
    """Every layer of which data and weight are dequantised, in the order of the graph."""
    for node in model.graph.all_nodes():
        if node.op_type not in (*_SUMS, "AveragePool"):
            continue
        source, pads = node.inputs[0].producer(), None
        if source is not None and source.op_type == "Pad":
            pads, source = _constant(source.inputs[1]).reshape(2, -1).T.tolist(), source.inputs[0].producer()
        if source is None or source.op_type != "DequantizeLinear" or source.inputs[0].producer() is None:
            continue
        weight = node.inputs[1].producer() if node.op_type != "AveragePool" else None
        if node.op_type != "AveragePool" and (weight is None or weight.op_type != "DequantizeLinear"):
            continue
        bias, output = _bias(node)
        yield IntegerLayer(
            node=node,
            source=source.inputs[0].producer().inputs[0].name,
            scale=np.float32(_constant(source.inputs[1])),
            zero_point=int(_constant(source.inputs[2])),
            pads=pads or [(0, 0)] * len(node.inputs[0].shape),
            weight=None if weight is None else _constant(weight.inputs[0]),
            weight_scale=np.ones(1, np.float32) if weight is None else _scales(node, _constant(weight.inputs[1])),
            bias=bias,
            output=output.name,
        )


def _constant(value: ir.Value) -> Numbers:
    numbers: Numbers = value.const_value.numpy()
    return numbers


def _scales(node: ir.Node, scales: Numbers) -> Numbers:
    """A scale for each output channel; the groups of a ConvTranspose share theirs."""
    shared = node.op_type == "ConvTranspose" and scales.size > 1
    return np.tile(scales, node.attributes.get_int("group", 1) if shared else 1)


def _bias(node: ir.Node) -> tuple[Numbers | None, ir.Value]:
    """The bias of an operator, an Add behind a MatMul included, and the value that has it in."""
    output = node.outputs[0]
    value = node.inputs[2] if node.op_type in ("Conv", "ConvTranspose", "Gemm") and len(node.inputs) > 2 else None
    if (
        node.op_type == "MatMul"
        and len(output.uses()) == 1
        and (add := next(iter(output.uses())).node).op_type == "Add"
    ):
        other = next(each for each in add.inputs if each is not output)
        if _is_constant(other):
            value, output = other, add.outputs[0]
    if value is None:
        return None, output
    maker = value.producer()
    return _constant(value if maker is None else maker.inputs[0]).reshape(-1), output


def _is_constant(value: ir.Value) -> bool:
    maker = value.producer()
    return value.const_value is not None or (maker is not None and maker.inputs[0].const_value is not None)


def _window(node: ir.Node, kernel: list[int], sizes: tuple[int, ...]) -> tuple[list[int], ...]:
    """Strides, dilations, padding before and behind."""
    spatial = len(kernel)
    strides = list(node.attributes.get_ints("strides", [1] * spatial))
    dilations = list(node.attributes.get_ints("dilations", [1] * spatial))
    pads = list(node.attributes.get_ints("pads", [0] * 2 * spatial))
    auto = node.attributes.get_string("auto_pad", "NOTSET")
    if auto.startswith("SAME"):
        total = [
            max((-(-size // stride) - 1) * stride + (k - 1) * dilation + 1 - size, 0)
            for size, stride, k, dilation in zip(sizes, strides, kernel, dilations, strict=True)
        ]
        less, more = [each // 2 for each in total], [each - each // 2 for each in total]
        pads = [*less, *more] if auto == "SAME_UPPER" else [*more, *less]
    return strides, dilations, pads[:spatial], pads[spatial:]


def _taps(node: ir.Node, data: Numbers, kernel: list[int]) -> Numbers:
    """Every window of `data`, padded with zeros: ``[N, C, outputs..., kernel...]``."""
    strides, dilations, before, behind = _window(node, kernel, data.shape[2:])
    padded = np.pad(data, [(0, 0), (0, 0), *zip(before, behind, strict=True)])
    spans = [(k - 1) * dilation + 1 for k, dilation in zip(kernel, dilations, strict=True)]
    windows = np.lib.stride_tricks.sliding_window_view(padded, spans, axis=tuple(range(2, data.ndim)))
    steps = [slice(None), slice(None), *(slice(None, None, stride) for stride in strides)]
    return windows[(*steps, *(slice(None, None, dilation) for dilation in dilations))]


def _conv(node: ir.Node, data: Numbers, weight: Numbers) -> Numbers:
    groups, kernel = node.attributes.get_int("group", 1), list(weight.shape[2:])
    taps = _taps(node, data, kernel)
    places = taps.shape[2 : 2 + len(kernel)]
    rows = np.moveaxis(taps, 1, 1 + len(kernel)).reshape(len(data), prod(places), groups, -1)
    sums = np.einsum("npgk,gok->ngop", rows, weight.reshape(groups, weight.shape[0] // groups, -1))
    return sums.reshape(len(data), weight.shape[0], *places)


def _conv_transpose(node: ir.Node, data: Numbers, weight: Numbers) -> Numbers:
    """Every input spreads its weights over the outputs; what falls into the padding is cut."""
    groups, kernel = node.attributes.get_int("group", 1), list(weight.shape[2:])
    strides, dilations, before, behind = _window(node, kernel, data.shape[2:])
    extra = node.attributes.get_ints("output_padding", [0] * len(kernel))
    sizes = [
        (size - 1) * stride + (k - 1) * dilation + 1 + more
        for size, stride, k, dilation, more in zip(data.shape[2:], strides, kernel, dilations, extra, strict=True)
    ]
    whole = np.zeros((len(data), groups, weight.shape[1], *sizes), np.int64)
    rows = data.reshape(len(data), groups, -1, *data.shape[2:])
    matrices = weight.reshape(groups, -1, *weight.shape[1:])
    for tap in np.ndindex(*kernel):
        spread = np.einsum("ngi...,gio->ngo...", rows, matrices[(..., *tap)])
        place = tuple(
            slice(index * dilation, index * dilation + (size - 1) * stride + 1, stride)
            for index, dilation, size, stride in zip(tap, dilations, data.shape[2:], strides, strict=True)
        )
        whole[(slice(None), slice(None), slice(None), *place)] += spread
    kept = tuple(slice(first, size - last) for first, size, last in zip(before, sizes, behind, strict=True))
    return whole.reshape(len(data), -1, *sizes)[(slice(None), slice(None), *kept)]


def _product(node: ir.Node, data: Numbers, weight: Numbers) -> Numbers:
    return data @ (weight.T if node.attributes.get_int("transB", 0) else weight)


def _mean(node: ir.Node, data: Numbers) -> Numbers:
    kernel = list(node.attributes.get_ints("kernel_shape"))
    axes = tuple(range(-len(kernel), 0))
    sums = _taps(node, data, kernel).sum(axis=axes)
    counted = data if node.attributes.get_int("count_include_pad", 0) else None
    if counted is not None:
        return sums.astype(np.float32) / np.float32(prod(kernel))
    inside = _taps(node, np.ones_like(data), kernel).sum(axis=axes)
    return sums.astype(np.float32) / inside.astype(np.float32)


_SUMS = {"Conv": _conv, "ConvTranspose": _conv_transpose, "Gemm": _product, "MatMul": _product}
