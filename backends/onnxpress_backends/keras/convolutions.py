"""Convolutions, products with a constant matrix and normalisation: the layers that hold weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from onnxpress_backends.keras.assembly import Assembly, Builder
from onnxpress_backends.tensorflow.graphs.graph import Node, Tensor


def _with_bias(assembly: Assembly, node: Node, units: int) -> tuple[Node, list[Any]]:
    """The node that adds a bias to what `node` gives, or `node` itself, and the bias."""
    follower = assembly.follower(node, "BiasAdd", "AddV2")
    if follower is not None:
        (bias,) = (assembly.array(tensor) for tensor in follower.inputs if tensor.node is not node)
        if bias.shape in ((units,), (1, units)):
            return follower, [bias.reshape(-1)]
    return node, []


def _weighted(assembly: Assembly, kind: str, node: Node, kernel: Any, width: int, /, **config: Any) -> Any:
    last, bias = _with_bias(assembly, node, width)
    x = assembly.of(node.inputs[0])
    result = assembly.layer(kind, last, x, weights=[kernel, *bias], use_bias=bool(bias), **config)
    assembly.made[Tensor(last)] = result
    return result


def _kernel(assembly: Assembly, node: Node) -> Any:
    kernel = assembly.array(node.inputs[1])
    if kernel is None:
        assembly.refuse(node, "its weights are computed, and a layer of Keras owns its weights")
    return kernel


def _window(node: Node) -> dict[str, Any]:
    return {
        "strides": tuple(node.attrs["strides"][1:-1]),
        "dilation_rate": tuple(node.attrs["dilations"][1:-1]),
        "padding": node.attrs["padding"].lower(),
    }


def convolution(assembly: Assembly, node: Node) -> Any:
    """Conv2D and Conv3D, with the bias that follows."""
    kernel = _kernel(assembly, node)
    units, channels = kernel.shape[-1], assembly.of(node.inputs[0]).shape[-1]
    kind = "Conv3D" if node.op == "Conv3D" else "Conv2D"
    return _weighted(
        assembly,
        kind,
        node,
        kernel,
        units,
        filters=units,
        kernel_size=kernel.shape[:-2],
        groups=channels // kernel.shape[-2],
        **_window(node),
    )


def depthwise(assembly: Assembly, node: Node) -> Any:
    """DepthwiseConv2D."""
    kernel = _kernel(assembly, node)
    channels, multiplier = kernel.shape[2:]
    return _weighted(
        assembly,
        "DepthwiseConv2D",
        node,
        kernel,
        channels * multiplier,
        kernel_size=kernel.shape[:2],
        depth_multiplier=multiplier,
        **_window(node),
    )


def product(assembly: Assembly, node: Node) -> Any:
    """Dense, when the right side is a constant matrix and the left has a batch; else `keras.ops.matmul`."""
    import keras

    left, right = (assembly.of(tensor) for tensor in node.inputs)
    flip_left = node.attrs.get("transpose_a", node.attrs.get("adj_x", False))
    flip_right = node.attrs.get("transpose_b", node.attrs.get("adj_y", False))
    constant = assembly.array(node.inputs[1])
    if constant is not None and constant.ndim == 2 and not flip_left and assembly.array(node.inputs[0]) is None:
        kernel = constant.T if flip_right else constant
        if len(left.shape) >= 2 and kernel.dtype == np.float32:
            return _weighted(assembly, "Dense", node, kernel, kernel.shape[1], units=kernel.shape[1])
    left, right = (
        keras.ops.swapaxes(side, -1, -2) if flip else side for side, flip in ((left, flip_left), (right, flip_right))
    )
    return keras.ops.matmul(left, right)


def batch_norm(assembly: Assembly, node: Node) -> tuple[Any, ...]:
    """BatchNormalization with the statistics it keeps."""
    arrays = [assembly.array(tensor) for tensor in node.inputs[1:]]
    if any(array is None for array in arrays):
        assembly.refuse(node, "its statistics are computed")
    epsilon = node.attrs["epsilon"]
    x = assembly.of(node.inputs[0])
    return (assembly.layer("BatchNormalization", node, x, weights=arrays, epsilon=epsilon),)


BUILDERS: Mapping[str, Builder] = {
    "BatchMatMulV2": product,
    "Conv2D": convolution,
    "Conv3D": convolution,
    "DepthwiseConv2dNative": depthwise,
    "FusedBatchNormV3": batch_norm,
    "MatMul": product,
}
