"""Local response normalisation across neighbouring channels: LRN.

``y = x / (bias + alpha / size * s) ** beta``, where ``s`` is the sum of squares over a window of ``size`` channels.
TensorFlow's LRN has windows of odd size over images; any other is a sum over a window along the last axis, made by
AvgPool of padded squares.
"""

from __future__ import annotations

from collections.abc import Mapping

from onnxpress_backends.tensorflow.call import Call, Rule
from onnxpress_backends.tensorflow.graphs.dtypes import DType
from onnxpress_backends.tensorflow.graphs.graph import Tensor
from onnxpress_backends.tensorflow.layout.layouts import last, logical
from onnxpress_backends.tensorflow.layout.values import Laid


def lrn(call: Call) -> Laid:
    """The channels are made the last axis."""
    _, layout = call.value(0).permuted
    wanted = last(layout or logical(call.rank(0)), 1)
    x, size = call.tensor(0, wanted), call.attribute("size")
    alpha, beta, bias = (call.attribute(*each) for each in (("alpha", 1e-4), ("beta", 0.75), ("bias", 1.0)))
    if wanted.rank == 4 and size % 2 and x.dtype == DType.FLOAT:
        return Laid(call.emit("LRN", x, depth_radius=size // 2, bias=bias, alpha=alpha / size, beta=beta), wanted)
    scaled = call.emit("Mul", _window_mean(call, x, size), call.const(alpha, x.dtype))
    base = call.emit("AddV2", scaled, call.const(bias, x.dtype))
    return Laid(call.emit("RealDiv", x, call.emit("Pow", base, call.const(beta, x.dtype))), wanted)


def _window_mean(call: Call, x: Tensor, size: int) -> Tensor:
    """The sum of squares over a window of the last axis, zeros beyond its ends, over `size`."""
    rank, count = call.rank(0), call.shape(0)[1]
    if count is None:
        call.refuse("the number of channels must be known")
    pads = [[0, 0]] * (rank - 1) + [[(size - 1) // 2, size // 2]]
    squares = call.emit("Pad", call.emit("Square", x), call.const(pads, DType.INT32))
    rows = call.emit("Reshape", squares, call.const([-1, count + size - 1, 1, 1], DType.INT32))
    pooled = call.emit("AvgPool", rows, ksize=[1, size, 1, 1], strides=[1, 1, 1, 1], padding="VALID")
    return call.emit("Reshape", pooled, call.emit("Shape", x))


RULES: Mapping[str, Rule] = {
    "LRN": lrn,
}
