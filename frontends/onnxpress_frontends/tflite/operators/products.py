"""Convolutions, dense layers and products of matrices.

Kernels lie as ``[out, height, width, in]``, those of depthwise convolutions as ``[1, height, width, out]``, those of
dense layers as ``[out, in]``.  Here they are laid out as TensorFlow wants them, which their integers follow.
"""

from __future__ import annotations

from typing import Any

from onnxpress_frontends.tensorflow_import import import_tensorflow
from onnxpress_frontends.tflite.operators.calling import Call, Operators


def _strides(call: Call) -> list[int]:
    return [1, call.option("strideH", 1), call.option("strideW", 1), 1]


def _dilations(call: Call) -> list[int]:
    return [1, call.option("dilationHFactor", 1), call.option("dilationWFactor", 1), 1]


def _biased(call: Call, value: Any, bias: Any) -> Any:
    return call.activated(value if bias is None else import_tensorflow().nn.bias_add(value, bias))


def _convolution(call: Call) -> Any:
    tf = import_tensorflow()
    kernel = tf.transpose(call.operands[1], [1, 2, 3, 0])
    result = tf.nn.conv2d(
        call.operands[0], kernel, strides=_strides(call), padding=call.padding(), dilations=_dilations(call)
    )
    return _biased(call, result, call.operand(2))


def _depthwise(call: Call) -> Any:
    tf = import_tensorflow()
    image, kernel = call.operands[0], tf.convert_to_tensor(call.operands[1])
    _, height, width, count = kernel.shape
    channels = image.shape[-1]
    result = tf.raw_ops.DepthwiseConv2dNative(
        input=image,
        filter=tf.reshape(kernel, [height, width, channels, count // channels]),
        strides=_strides(call),
        padding=call.padding(),
        dilations=_dilations(call),
    )
    return _biased(call, result, call.operand(2))


def _transposed(call: Call) -> Any:
    tf = import_tensorflow()
    size, kernel, image = call.operands[:3]
    result = tf.nn.conv2d_transpose(
        image, tf.transpose(kernel, [1, 2, 0, 3]), size, strides=_strides(call), padding=call.padding()
    )
    return _biased(call, result, call.operand(3))


def _convolution_3d(call: Call) -> Any:
    result = import_tensorflow().nn.conv3d(
        call.operands[0],
        call.operands[1],
        strides=[1, call.option("strideD", 1), *_strides(call)[1:]],
        padding=call.padding(),
        dilations=[1, call.option("dilationDFactor", 1), *_dilations(call)[1:]],
    )
    return _biased(call, result, call.operand(2))


def _dense(call: Call) -> Any:
    """Axes before the last are one, unless the option keeps them."""
    tf = import_tensorflow()
    if call.option("weightsFormat"):
        raise call.refused("its weights are shuffled")
    value, kernel = map(tf.convert_to_tensor, call.operands[:2])
    if not call.option("keepNumDims") and value.shape.rank != 2:
        value = tf.reshape(value, [-1, kernel.shape[1]])
    return _biased(call, tf.matmul(value, tf.transpose(kernel)), call.operand(2))


def _product(call: Call) -> Any:
    left, right = call.operands
    return import_tensorflow().matmul(
        left, right, transpose_a=bool(call.option("adjX")), transpose_b=bool(call.option("adjY"))
    )


OPERATORS: Operators = {
    "BATCH_MATMUL": _product,
    "CONV_2D": _convolution,
    "CONV_3D": _convolution_3d,
    "DEPTHWISE_CONV_2D": _depthwise,
    "FULLY_CONNECTED": _dense,
    "TRANSPOSE_CONV": _transposed,
}
"""The format's name to how TensorFlow computes it."""
