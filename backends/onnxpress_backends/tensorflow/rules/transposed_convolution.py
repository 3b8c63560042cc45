"""ConvTranspose, channels last: the gradient of a convolution with respect to its input.

Along an axis the result has ``size * stride + slack`` elements.  When ``-stride < slack <= 0`` and what is cut off the
start is half of what the window overlaps, it is the gradient of a convolution with SAME padding; otherwise that of one
with VALID padding, of which a part is taken.  TensorFlow's kernels for a CPU know no dilation here: zeros between the
taps of the kernel are the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from onnxpress_backends.tensorflow.call import Call, Rule
from onnxpress_backends.tensorflow.geometry.borders import bordered, trimmed
from onnxpress_backends.tensorflow.geometry.terms import Term, packed, sizes, term
from onnxpress_backends.tensorflow.geometry.windows import extents
from onnxpress_backends.tensorflow.graphs.dtypes import DType
from onnxpress_backends.tensorflow.graphs.graph import Tensor
from onnxpress_backends.tensorflow.layout.layouts import channels_last
from onnxpress_backends.tensorflow.layout.values import Laid


@dataclass(frozen=True, kw_only=True)
class Spread:
    """What becomes of one spatial axis.

    Attributes:
        size: Of the input.
        stride: Distance of the places where the kernel is put down.
        extent: Elements that the kernel covers.
        slack: Elements of the output beyond ``size * stride``.
        before: Elements cut off the start.
    """

    size: Term
    stride: int
    extent: int
    slack: Term
    before: Term

    @property
    def out(self) -> Term:
        """Size of the output."""
        return self.size * self.stride + self.slack

    @property
    def full(self) -> Term:
        """Size of the output before anything is cut off."""
        return self.size * self.stride + (self.extent - self.stride)

    @property
    def beyond(self) -> Term:
        """Elements of the output behind the last that the kernel reaches; less than 0: those cut off the end."""
        return self.before + self.slack - (self.extent - self.stride)

    @property
    def is_same(self) -> bool:
        """Whether TensorFlow's SAME padding cuts off just this."""
        slack, before = self.slack.known, self.before.known
        if slack is None or before is None or not -self.stride < slack <= 0:
            return False
        return int(before) == max(self.extent - self.stride - int(slack), 0) // 2


def conv_transpose(call: Call) -> Laid:
    """ConvTranspose of one to three spatial axes."""
    rank = call.rank(0)
    if not 3 <= rank <= 5:
        call.refuse("TensorFlow convolves over one to three spatial axes")
    spreads = spreads_of(call)
    tensor = call.tensor(0, channels_last(rank))
    if all(spread.is_same for spread in spreads):
        result = _gradient(call, tensor, spreads, [spread.out for spread in spreads], "SAME")
    else:
        result = _taken(call, tensor, spreads)
    if call.has(2):
        result = call.emit("BiasAdd", result, call.tensor(2))
    return Laid(result, channels_last(rank))


def _taken(call: Call, tensor: Tensor, spreads: Sequence[Spread]) -> Tensor:
    """The part of the whole; where only the end lacks elements that no tap reaches, they are asked for."""
    more = [each.beyond.clip(0, each.stride - 1) for each in spreads]
    reached = [each.full + extra for each, extra in zip(spreads, more, strict=True)]
    result = _gradient(call, tensor, spreads, reached, "VALID")
    none = (term(call, 0), term(call, 0))
    border = [none, *((-each.before, each.beyond - extra) for each, extra in zip(spreads, more, strict=True)), none]
    return bordered(call, trimmed(call, result, border), border)


def spreads_of(call: Call) -> list[Spread]:
    """Every spatial axis of a ConvTranspose."""
    spatial = sizes(call, 0)[2:]
    ones = (1,) * len(spatial)
    strides = call.attribute("strides") or ones
    reach = extents(call.sizes(1)[2:], call.attribute("dilations") or ones)
    more = call.attribute("output_padding") or (0,) * len(spatial)
    shape = call.attribute("output_shape")
    auto = call.attribute("auto_pad", "NOTSET")
    pads = call.attribute("pads") or (0,) * (2 * len(spatial))
    spreads = []
    for axis, (size, stride, extent) in enumerate(zip(spatial, strides, reach, strict=True)):
        whole = extent - stride + more[axis]
        if shape or auto in ("SAME_UPPER", "SAME_LOWER"):
            slack = term(call, shape[axis - len(spatial)]) - size * stride if shape else term(call, min(whole, 0))
            total = (whole - slack).least(0)
            before = total // 2 if auto == "SAME_UPPER" else total - total // 2
        else:
            before = term(call, pads[axis])
            slack = term(call, whole - pads[axis] - pads[axis + len(spatial)])
        spreads.append(Spread(size=size, stride=stride, extent=extent, slack=slack, before=before))
    return spreads


def _gradient(call: Call, tensor: Tensor, spreads: Sequence[Spread], out: Sequence[Term], padding: str) -> Tensor:
    """The gradient with respect to an input of spatial sizes `out`."""
    kernel, group = call.sizes(1), call.attribute("group", 1)
    strides = [spread.stride for spread in spreads]
    flat = len(spreads) == 1
    if flat:
        tensor = call.emit("ExpandDims", tensor, call.const(1, DType.INT32))
        strides, out = strides * 2, [term(call, 1), *out]
    one = (1,) * flat
    deep = len(spreads) == 3
    shared = {"strides": [1, *strides, 1], "padding": padding}
    batch = sizes(call, 0)[0]
    if group > 1 and kernel[1] == 1 and not deep and len(set(strides)) == 1:
        view = (group, kernel[0] // group, *one, *kernel[2:])
        weight = _spaced(call, call.weight(1, view, (2, 3, 0, 1), (*view[2:], *view[:2])), flat)
        shape = packed(call, [batch, *out, term(call, group)]).tensor
        result = call.emit("DepthwiseConv2dNativeBackpropInput", shape, weight, tensor, **shared)
    else:
        view = (*kernel[:2], *one, *kernel[2:])
        order = (*range(2, len(view)), 1, 0)
        weight = _spaced(call, call.weight(1, view, order, [view[axis] for axis in order]), flat)
        shape = packed(call, [batch, *out, term(call, kernel[1])]).tensor
        op = "Conv3DBackpropInputV2" if deep else "Conv2DBackpropInput"
        pictures, weights = _split(call, tensor, group), _split(call, weight, group)
        results = [call.emit(op, shape, *pair[::-1], **shared) for pair in zip(pictures, weights, strict=True)]
        result = results[0] if group == 1 else call.emit("ConcatV2", results, call.const(-1, DType.INT32))
    return call.emit("Squeeze", result, squeeze_dims=[1]) if flat else result


def _spaced(call: Call, weight: Tensor, flat: bool) -> Tensor:
    """A kernel ``[spatial axes, .., ..]`` with zeros between its taps."""
    kernel = call.sizes(1)[2:]
    dilations = call.attribute("dilations") or (1,) * len(kernel)
    for axis, (taps, step) in enumerate(zip(kernel, dilations, strict=True)):
        if step == 1 or taps == 1:
            continue
        place = axis + flat
        rank = len(kernel) + flat + 2
        weight = call.emit("Pad", weight, call.const([[0, int(each == place)] for each in range(rank)], DType.INT32))
        source = np.full((taps - 1) * step + 1, taps)
        source[::step] = range(taps)
        weight = call.emit("GatherV2", weight, call.const(source, DType.INT32), call.const(place, DType.INT32))
    return weight


def _split(call: Call, tensor: Tensor, count: int) -> list[Tensor]:
    """Parts along the last axis."""
    if count == 1:
        return [tensor]
    node = call.emit_node("Split", call.const(-1, DType.INT32), tensor, num_split=count)
    return [Tensor(node, index) for index in range(count)]


RULES: Mapping[str, Rule] = {
    "ConvTranspose": conv_transpose,
}
