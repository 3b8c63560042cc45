"""What makes one number of many: pooling, resizing, sums, the largest."""

from __future__ import annotations

from typing import Any

from onnxpress_frontends.tensorflow_import import import_tensorflow
from onnxpress_frontends.tflite.operators.calling import Call, Handler, Operators, function


def _reduced(path: str) -> Handler:
    def reduce(call: Call) -> Any:
        return function(path)(call.operands[0], axis=call.operands[1], keepdims=bool(call.option("keepDims")))

    return reduce


def _pooled(path: str) -> Handler:
    def pool(call: Call) -> Any:
        window = [1, call.option("filterHeight", 1), call.option("filterWidth", 1), 1]
        strides = [1, call.option("strideH", 1), call.option("strideW", 1), 1]
        return call.activated(function(path)(call.operands[0], window, strides, call.padding()))

    return pool


def _resized(name: str) -> Handler:
    def resize(call: Call) -> Any:
        return getattr(import_tensorflow().raw_ops, name)(
            images=call.operands[0],
            size=call.operands[1],
            align_corners=bool(call.option("alignCorners")),
            half_pixel_centers=bool(call.option("halfPixelCenters")),
        )

    return resize


def _place_of(path: str) -> Handler:
    return lambda call: function(path)(call.operands[0], axis=int(call.operands[1]), output_type=call.dtype)


def _summed_up(call: Call) -> Any:
    exclusive, reverse = bool(call.option("exclusive")), bool(call.option("reverse"))
    return import_tensorflow().cumsum(call.operands[0], call.operands[1], exclusive=exclusive, reverse=reverse)


def _response(call: Call) -> Any:
    return import_tensorflow().nn.lrn(
        call.operands[0],
        depth_radius=call.option("radius"),
        bias=call.option("bias"),
        alpha=call.option("alpha"),
        beta=call.option("beta"),
    )


OPERATORS: Operators = {
    "ARG_MAX": _place_of("argmax"),
    "ARG_MIN": _place_of("argmin"),
    "AVERAGE_POOL_2D": _pooled("nn.avg_pool2d"),
    "CUMSUM": _summed_up,
    "LOCAL_RESPONSE_NORMALIZATION": _response,
    "MAX_POOL_2D": _pooled("nn.max_pool2d"),
    "MEAN": _reduced("reduce_mean"),
    "REDUCE_ALL": _reduced("reduce_all"),
    "REDUCE_ANY": _reduced("reduce_any"),
    "REDUCE_MAX": _reduced("reduce_max"),
    "REDUCE_MIN": _reduced("reduce_min"),
    "REDUCE_PROD": _reduced("reduce_prod"),
    "RESIZE_BILINEAR": _resized("ResizeBilinear"),
    "RESIZE_NEAREST_NEIGHBOR": _resized("ResizeNearestNeighbor"),
    "SUM": _reduced("reduce_sum"),
    "TOPK_V2": lambda call: import_tensorflow().math.top_k(*call.operands),
}
"""The format's name to how TensorFlow computes it."""
