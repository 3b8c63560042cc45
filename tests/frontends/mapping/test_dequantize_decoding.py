from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onnxpress import model_files
from onnxpress.runtime import Session
from onnxpress_frontends.tensorflow_source import load, reference

Array = np.ndarray[Any, Any]
RANDOM = np.random.default_rng(0)
WEIGHTS = {
    "kernel": RANDOM.standard_normal((3, 3, 3, 32)).astype(np.float32),
    "depthwise": RANDOM.uniform(-1, 3, (3, 3, 32, 2)).astype(np.float32),
    "matrix": RANDOM.uniform(0, 1, (64, 100)).astype(np.float32),  # zero must be let in
}


def bytes_of(weight: Array) -> tuple[Array, np.float32, np.float32]:
    """The rule of TensorFlow's ``quantize_weights``, in double precision."""
    low, high = np.float32(min(weight.min(), 0)), np.float32(max(weight.max(), 0))
    scale = 255 / (float(high) - float(low))
    steps = np.floor(weight * scale + 0.5) - np.floor(low * scale + 0.5)
    return np.clip(steps, 0, 255).astype(np.uint8), low, high


def quantize_weights(tf: Any, graph: Any, mode: str, dtype: Any) -> Any:
    """Replace the constants called in `WEIGHTS` as the tool does; `dtype` is quint8 in the tool."""
    quantised = tf.compat.v1.GraphDef(versions=graph.versions)
    for node in graph.node:
        if node.name not in WEIGHTS:
            quantised.node.add().CopyFrom(node)
            continue
        integers, low, high = bytes_of(WEIGHTS[node.name])
        names = [f"{node.name}_quantized_{part}" for part in ("const", "min", "max")]
        stored = quantised.node.add(name=names[0], op="Const")
        stored.attr["dtype"].type = stored.attr["value"].tensor.dtype = dtype.as_datatype_enum
        stored.attr["value"].tensor.tensor_shape.CopyFrom(tf.TensorShape(integers.shape).as_proto())
        stored.attr["value"].tensor.tensor_content = integers.tobytes()
        for name, end in zip(names[1:], (low, high), strict=True):
            quantised.node.add(name=name, op="Const").attr["dtype"].type = 1
            quantised.node[-1].attr["value"].tensor.CopyFrom(tf.make_tensor_proto(end))
        dequantise = quantised.node.add(name=node.name, op="Dequantize", input=names)
        dequantise.attr["T"].type = dtype.as_datatype_enum
        dequantise.attr["mode"].s = mode.encode()
    return quantised


@pytest.fixture(scope="module")
def original(tf: Any) -> Any:
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, (None, 8, 8, 3), name="x")
        y = tf.nn.relu(tf.nn.conv2d(x, tf.constant(WEIGHTS["kernel"], name="kernel"), 1, "SAME"))
        y = tf.nn.depthwise_conv2d(y, tf.constant(WEIGHTS["depthwise"], name="depthwise"), [1] * 4, "SAME")
        tf.matmul(tf.reduce_mean(y, (1, 2)), tf.constant(WEIGHTS["matrix"], name="matrix"), name="scores")
    return graph.as_graph_def()


def laid_out(name: str, integers: Array) -> Array:
    if name == "kernel":
        return integers.transpose(3, 2, 0, 1)
    return integers.reshape(3, 3, 1, 64).transpose(3, 2, 0, 1) if name == "depthwise" else integers


@pytest.mark.parametrize("mode", ["MIN_FIRST", "MIN_COMBINED", "SCALED"])
@pytest.mark.parametrize("dtype", ["quint8", "qint8"])
def test_weights_of_quantize_weights_stay_bytes(tf: Any, original: Any, tmp_path: Path, mode: str, dtype: str) -> None:
    path = tmp_path / "graph.pb"
    path.write_bytes(quantize_weights(tf, original, mode, getattr(tf, dtype)).SerializeToString())
    model = load(path)
    x = RANDOM.standard_normal((4, 8, 8, 3)).astype(np.float32)
    (actual,), (expected,) = Session(model).run({"x": x}).values(), reference(path).run({"x": x}).values()
    np.testing.assert_allclose(actual, expected, rtol=0, atol=2e-6 * np.abs(expected).max())
    stored = [node for node in model.graph if node.op_type == "DequantizeLinear"]
    for node, (name, weight) in zip(stored, WEIGHTS.items(), strict=True):
        integers = bytes_of(weight)[0].view(dtype.removeprefix("q"))
        np.testing.assert_array_equal(node.inputs[0].const_value.numpy(), laid_out(name, integers))
    assert model_files.size(model) < path.stat().st_size


def test_the_zero_point_of_min_first_is_where_the_tool_put_zero(tf: Any, original: Any, tmp_path: Path) -> None:
    path = tmp_path / "graph.pb"
    path.write_bytes(quantize_weights(tf, original, "MIN_FIRST", tf.quint8).SerializeToString())
    stored = [node for node in load(path).graph if node.op_type == "DequantizeLinear"]
    for node, weight in zip(stored, WEIGHTS.values(), strict=True):
        _, low, high = bytes_of(weight)
        scale, zero_point = (value.const_value.numpy() for value in node.inputs[1:])
        assert scale == (high - low) / np.float32(255)
        assert zero_point == round(-low * 255 / (float(high) - float(low)))


def test_a_constant_that_has_no_grid_is_an_ordinary_one(tf: Any, tmp_path: Path) -> None:
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, (None, 2), name="x")
        alike = tf.raw_ops.Dequantize(
            input=tf.bitcast(tf.constant([3, 4], tf.uint8), tf.quint8), min_range=2.0, max_range=2.0, mode="MIN_FIRST"
        )
        tf.add(x, alike, name="y")
    path = tmp_path / "graph.pb"
    path.write_bytes(graph.as_graph_def().SerializeToString())
    model = load(path)
    assert [node.op_type for node in model.graph] == ["Add"]
    zeros = {"x": np.zeros((1, 2), np.float32)}
    np.testing.assert_array_equal(Session(model).run(zeros)["y"], reference(path).run(zeros)["y"])
