"""Grouped convolutions as TensorFlow 1 and Keras models write them are one Conv when they arrive.

These tests import TensorFlow.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from onnxpress.testing import apply, assert_equivalent
from onnxpress_frontends import tensorflow_source
from onnxpress_plugins.cleaning.clean_up import CLEAN_UP
from onnxpress_plugins.grouping.group_merging import MERGE_GROUP_CONV


@pytest.fixture(scope="module")
def tf() -> Any:
    import tensorflow

    return tensorflow


def weight(*shape: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


def merge(source: Any) -> ir.Model:
    before = tensorflow_source.load(source)
    clean, _ = apply(CLEAN_UP, before)
    merged, notes = apply(MERGE_GROUP_CONV, clean)
    assert notes.declined == []
    after, _ = apply(CLEAN_UP, merged)
    feeds = {"x": np.random.default_rng(0).normal(size=(2, 8, 8, 8)).astype(np.float32)}
    assert_equivalent(before, after, feeds, rtol=1e-5, atol=1e-5)  # the sum of a kernel's products, reordered
    return after


def alexnet(tf: Any, x: Any) -> Any:
    """One weight for all groups, split like the data; bias and activation behind the Concat."""
    x = tf.nn.relu(tf.nn.conv2d(x, weight(3, 3, 8, 4), 1, "SAME"))
    parts, kernels = tf.split(x, 2, axis=3), tf.split(weight(3, 3, 2, 6), 2, axis=3)
    joined = tf.concat([tf.nn.conv2d(*pair, 1, "SAME") for pair in zip(parts, kernels, strict=True)], axis=3)
    return tf.nn.max_pool2d(tf.nn.relu(tf.nn.bias_add(joined, weight(6))), 2, 2, "VALID")


def resnext(tf: Any, x: Any) -> Any:
    """Every branch has its own bias and activation."""
    parts = tf.split(tf.nn.relu(tf.nn.conv2d(x, weight(1, 1, 8, 8), 1, "SAME")), 4, axis=-1)
    branches = [tf.nn.relu6(tf.nn.bias_add(tf.nn.conv2d(p, weight(3, 3, 2, 3), 2, "SAME"), weight(3))) for p in parts]
    return tf.nn.conv2d(tf.concat(branches, axis=-1), weight(1, 1, 12, 2), 1, "SAME")


def slices(tf: Any, x: Any) -> Any:
    """Slices instead of a Split, and dilation."""
    parts = [x[:, :, :, :4], x[:, :, :, 4:]]
    return tf.concat([tf.nn.conv2d(p, weight(3, 3, 4, 3), 1, "SAME", dilations=2) for p in parts], axis=3)


def sequences(tf: Any, x: Any) -> Any:
    """One-dimensional convolutions, which TensorFlow writes as two-dimensional ones, and Swish."""
    parts = tf.split(tf.reshape(x, (-1, 64, 8)), 2, axis=-1)
    return tf.concat([tf.nn.silu(tf.nn.conv1d(p, weight(3, 4, 3), 1, "SAME")) for p in parts], axis=-1)


NETWORKS: dict[str, tuple[Callable[[Any, Any], Any], list[int]]] = {
    "AlexNet": (alexnet, [1, 2]),
    "ResNeXt": (resnext, [1, 4, 1]),
    "Slices": (slices, [2]),
    "sequences": (sequences, [2]),
}


@pytest.mark.parametrize(("network", "groups"), NETWORKS.values(), ids=NETWORKS)
def test_one_convolution_is_left(tf: Any, network: Callable[[Any, Any], Any], groups: list[int]) -> None:
    signature = [tf.TensorSpec((None, 8, 8, 8), tf.float32, name="x")]
    after = merge(tf.function(lambda x: network(tf, x), input_signature=signature))
    convolutions = [node for node in after.graph if node.op_type == "Conv"]
    assert [node.attributes.get_int("group", 1) for node in convolutions] == groups
    ops = Counter(node.op_type for node in after.graph)
    assert ops["Split"] + ops["Slice"] + ops["Concat"] == 0 and ops["Transpose"] <= 2


def test_keras_branches_with_batch_normalization() -> None:
    import keras

    layers = keras.layers
    image = keras.Input((8, 8, 8), name="x")
    branches = [
        layers.ReLU(6.0)(layers.BatchNormalization()(layers.Conv2D(3, 3, padding="same", use_bias=False)(part)))
        for part in keras.ops.split(image, 4, axis=-1)
    ]
    after = merge(keras.Model(image, layers.Concatenate()(branches)))
    assert [node.op_type for node in after.graph] == ["Transpose", "Conv", "Clip", "Transpose"]
