"""What quantisers of TensorFlow graphs fuse before they quantise is one linear operator in ours.

Frozen graphs of TensorFlow, written as TensorFlow 1 wrote them: batch normalisation in one piece and in small
operators, behind grouped, dilated (SpaceToBatchND) and transposed convolutions and behind reshaped products of
matrices; a factor behind a bias; a constant instead of a bias.  These tests import TensorFlow.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from onnxpress import convert
from onnxpress.runtime import Session
from onnxpress_frontends import tensorflow_source

AFFINE = ("BatchNormalization", "Mul", "Add", "Sub", "Div", "Sqrt", "Reciprocal")
Build = Callable[[Any], Any]


@pytest.fixture(scope="module")
def tf() -> Any:
    import tensorflow

    return tensorflow


def numbers(*shape: int) -> Any:
    return np.random.default_rng(sum(shape)).uniform(0.2, 1.2, shape).astype(np.float32)


def image(tf: Any, *shape: int | None) -> Any:
    return tf.compat.v1.placeholder(tf.float32, shape, name="x")


def batch_norm(tf: Any, y: Any, channels: int, layout: str = "NHWC") -> Any:
    statistics = [numbers(channels) + np.float32(part / 7) for part in range(4)]
    return tf.compat.v1.nn.fused_batch_norm(y, *statistics, is_training=False, data_format=layout)[0]


def fused(source: Path, name: str) -> ir.Model:
    """Convert with the passes of every recipe; the numbers are TensorFlow's, and the output keeps its name."""
    model = convert(source, outputs=[name]).model
    reference = tensorflow_source.reference(source, outputs=[name])
    shape = [size if isinstance(size, int) else 9 for size in reference.inputs[0].shape]
    feeds = {"x": np.random.default_rng(0).normal(size=shape).astype(np.float32)}
    (expected,), actual = reference.run(feeds).values(), Session(model).run(feeds)
    assert list(actual) == [name]
    assert expected.any()
    # float32: weights that are rounded once more, in sums of some tens before anything is subtracted from them
    np.testing.assert_allclose(actual[name], expected, rtol=1e-5, atol=2e-5)
    return model


@pytest.fixture
def convert_graph(tf: Any, tmp_path: Path) -> Callable[[Build], list[str]]:
    """The operators that a frozen graph ends up with, but for those that only move numbers."""

    def check(build: Build) -> list[str]:
        with tf.Graph().as_default() as graph:
            tf.identity(build(tf), name="result")
        path = tmp_path / "frozen.pb"
        path.write_bytes(graph.as_graph_def().SerializeToString())
        return [node.op_type for node in fused(path, "result").graph.all_nodes()]

    return check


def conv2d(tf: Any) -> Any:
    return tf.nn.conv2d(image(tf, None, 8, 8, 3), numbers(3, 3, 3, 4), 1, "SAME")


def conv3d(tf: Any) -> Any:
    return tf.nn.conv3d(image(tf, None, 5, 6, 7, 3), numbers(3, 3, 3, 3, 4), [1] * 5, "SAME")


def depthwise(tf: Any) -> Any:
    return tf.nn.depthwise_conv2d(image(tf, None, 8, 8, 4), numbers(3, 3, 4, 1), [1] * 4, "SAME")


def transposed(tf: Any) -> Any:
    return tf.nn.conv2d_transpose(image(tf, 2, 4, 4, 3), numbers(3, 3, 4, 3), (2, 8, 8, 4), 2, "SAME")


def product(tf: Any) -> Any:
    return tf.matmul(image(tf, None, 6), numbers(6, 4))


LAYERS = {
    "Conv2D": (conv2d, "Conv"),
    "Conv3D": (conv3d, "Conv"),
    "Depthwise": (depthwise, "Conv"),
    "Conv2DBackpropInput": (transposed, "ConvTranspose"),
    "MatMul": (product, "Gemm"),
}
BEHIND: dict[str, Callable[[Any, Any], Any]] = {
    "BiasAdd and a factor": lambda tf, y: tf.nn.bias_add(y, numbers(4)) * 2.5,
    "a factor first": lambda tf, y: 0.5 * y + 1.5,
    "a factor for each channel": lambda tf, y: (y + numbers(4)) * numbers(1, 4),
    "Add of a number": lambda tf, y: y + 2.5,
    "Add for each channel": lambda tf, y: y + numbers(4),
    "small operators": lambda tf, y: tf.nn.batch_normalization(y, *(numbers(4) for _ in range(4)), 1e-3),
    "small operators without center": lambda tf, y: tf.nn.batch_normalization(
        y, numbers(4), numbers(4), None, numbers(4), 1e-3
    ),
    "small operators without scale": lambda tf, y: tf.nn.batch_normalization(
        y, numbers(4), numbers(4), numbers(4), None, 1e-3
    ),
    "small operators without either": lambda tf, y: tf.nn.batch_normalization(
        y, numbers(4), numbers(4), None, None, 1e-3
    ),
}


@pytest.mark.parametrize("behind", BEHIND.values(), ids=BEHIND)
@pytest.mark.parametrize(("layer", "op_type"), LAYERS.values(), ids=LAYERS)
def test_what_is_behind_a_layer(
    layer: Build, op_type: str, behind: Callable[[Any, Any], Any], convert_graph: Callable[[Build], list[str]]
) -> None:
    left = convert_graph(lambda tf: tf.nn.relu(behind(tf, layer(tf))))
    assert [op for op in left if op != "Transpose"] == [op_type, "Relu"]


def grouped(tf: Any) -> Any:
    parts = tf.split(image(tf, None, 8, 8, 6), 2, 3)
    branches = [tf.nn.bias_add(tf.nn.conv2d(part, numbers(3, 3, 3, 4), 1, "SAME"), numbers(4)) for part in parts]
    return batch_norm(tf, tf.concat(branches, 3), 8)


def atrous(tf: Any) -> Any:
    """Odd sizes, so that there is something to crop."""
    y = tf.space_to_batch(image(tf, None, 9, 9, 3), [2, 2], [[2, 3], [2, 3]])
    y = tf.nn.bias_add(tf.nn.conv2d(y, numbers(3, 3, 3, 4), 1, "VALID"), numbers(4))
    return batch_norm(tf, tf.batch_to_space(y, [2, 2], [[0, 1], [0, 1]]), 4)


def atrous_of_any_size(tf: Any) -> Any:
    y = tf.nn.atrous_conv2d(image(tf, None, None, None, 3), numbers(3, 3, 3, 4), 2, "SAME")
    return batch_norm(tf, y, 4)


def atrous_depthwise(tf: Any) -> Any:
    y = tf.space_to_batch(image(tf, None, 9, 9, 4), [2, 2], [[2, 3], [2, 3]])
    y = tf.nn.depthwise_conv2d(y, numbers(3, 3, 4, 1), [1] * 4, "VALID")
    return batch_norm(tf, tf.batch_to_space(y, [2, 2], [[0, 1], [0, 1]]), 4)


def atrous_volumes(tf: Any) -> Any:
    y = tf.space_to_batch(image(tf, None, 6, 7, 6, 3), [2, 2, 2], [[2, 2], [2, 3], [2, 2]])
    y = tf.nn.conv3d(y, numbers(3, 3, 3, 3, 4), [1] * 5, "VALID") + numbers(4)
    y = tf.batch_to_space(y, [2, 2, 2], [[0, 0], [0, 1], [0, 0]])
    return tf.nn.batch_normalization(y, *(numbers(4) for _ in range(4)), 1e-3)


CONVOLUTIONS = {each.__name__: each for each in (grouped, atrous, atrous_of_any_size, atrous_depthwise, atrous_volumes)}


@pytest.mark.parametrize("build", CONVOLUTIONS.values(), ids=CONVOLUTIONS)
def test_batch_norm_behind_convolutions_in_pieces(build: Build, convert_graph: Callable[[Build], list[str]]) -> None:
    left = convert_graph(build)
    assert left.count("Conv") == 1
    assert "BatchNormalization" not in left
    assert build is atrous_of_any_size or not any(op in AFFINE for op in left), "there Add and Mul count sizes"


def rows(*shapes: tuple[int, ...], layout: str = "NHWC", bias: bool = False, batch: int | None = None) -> Build:
    """A product of matrices reshaped to these shapes, and batch normalisation."""

    def build(tf: Any) -> Any:
        y = tf.matmul(image(tf, batch, 6), numbers(6, 48))
        y = tf.nn.bias_add(y, numbers(48)) if bias else y
        for shape in shapes:
            y = tf.reshape(y, shape)
        return batch_norm(tf, y, shapes[-1][3 if layout == "NHWC" else 1], layout)

    return build


def rows_of_any_number(tf: Any) -> Any:
    x = image(tf, None, 6)
    y = tf.reshape(tf.matmul(x, numbers(6, 48)), tf.stack([tf.shape(x)[0], 4, 4, 3]))
    return batch_norm(tf, y, 3)


RESHAPED = {
    "NHWC": rows((-1, 4, 4, 3)),
    "NHWC, bias": rows((-1, 4, 4, 3), bias=True),
    "NHWC, fixed": rows((2, 4, 4, 3), batch=2),
    "NCHW": rows((-1, 3, 4, 4), layout="NCHW"),
    "NCHW, bias, fixed": rows((2, 3, 4, 4), layout="NCHW", bias=True, batch=2),
    "one pixel": rows((-1, 1, 1, 48)),
    "twice": rows((-1, 16, 3), (-1, 4, 4, 3)),
    "twice, bias, fixed": rows((2, 16, 3), (2, 4, 4, 3), bias=True, batch=2),
    "computed": rows_of_any_number,
}


@pytest.mark.parametrize("build", RESHAPED.values(), ids=RESHAPED)
def test_batch_norm_behind_a_reshaped_product(build: Build, convert_graph: Callable[[Build], list[str]]) -> None:
    left = convert_graph(build)
    assert [op for op in left if op not in ("Transpose", "Reshape")] == ["Gemm"]


def test_a_fused_output_keeps_the_name_that_others_ask_for(tf: Any, tmp_path: Path) -> None:
    with tf.Graph().as_default() as graph:
        tf.nn.batch_normalization(conv2d(tf), *(numbers(4) for _ in range(4)), 1e-3, name="norm")
    path = tmp_path / "frozen.pb"
    path.write_bytes(graph.as_graph_def().SerializeToString())
    last = graph.get_operations()[-1].name
    assert last == "norm/add"
    assert [node.op_type for node in fused(path, last).graph] == ["Transpose", "Conv", "Transpose"]
