"""TensorFlow to ONNX, to each of TensorFlow's formats, and to ONNX again: numbers, parameters, names and grids stay."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

import onnxpress
from frozen_graphs import FrozenGraph
from keras_networks import NETWORKS
from onnxpress.errors import UnsupportedModel
from onnxpress.runtime import Session
from round_trip import elements

FORMATS = {"pb": "back.pb", "savedmodel": "back", "keras": "back.keras", "tflite": "back.tflite"}
TOLERANCE = 1e-5
"""Largest difference, over the largest output."""

HALF = 1e-3
"""The same, where numbers have 16 bits."""

SHORT = [
    ("images", "pb"),
    ("images", "savedmodel"),
    ("images", "keras"),
    ("images", "tflite"),
    ("any_images", "pb"),
    ("encoder", "pb"),
    ("encoder", "tflite"),
    ("texts", "pb"),
    ("texts", "savedmodel"),
    ("two_ended", "pb"),
    ("two_ended", "savedmodel"),
    ("two_ended", "keras"),
    ("two_ended", "tflite"),
    ("halves", "pb"),
]
REFUSED = {
    ("volumes", "tflite"): "it has no operator MaxPool3D, for node .*AvgPool3D",
    ("any_images", "keras"): "Keras has no layer for it",
    ("attention", "keras"): "Keras has no layer for it",
    ("masked_texts", "keras"): "Keras has no layer for it",
    ("films", "keras"): "Keras has no layer for it",
    ("states", "keras"): "Keras begins with a state of zeros",
    ("masked_texts", "tflite"): "TFLite cannot hold the model",
    ("films", "tflite"): "TFLite cannot hold the model",
    ("halves", "tflite"): "it has no operator Conv2D, for node",
}
TRANSPOSES = {"encoder": 8, "attention": 4, "texts": 1, "states": 2}
"""Those of the network itself: four for attention, one where time goes in front of the batch, and back."""

LOOPS = (("texts", "tflite"), ("states", "tflite"))
"""They need a known batch, and lack the second bias of ONNX's LSTM, which is zero."""

LONG = [(name, form) for name in NETWORKS for form in FORMATS if (name, form) not in {*SHORT, *REFUSED}]


@pytest.fixture(scope="module")
def keras() -> Any:
    import keras

    return keras


@pytest.fixture(scope="module")
def tf() -> Any:
    import tensorflow as tf

    return tf


def trip(source: Any, form: str, folder: Path, **options: Any) -> tuple[ir.Model, ir.Model]:
    """The ONNX model, and the ONNX model that becomes of its translation into a format."""
    there = onnxpress.convert(source, out=folder / "there.onnx").model
    onnxpress.convert(folder / "there.onnx", out=folder / FORMATS[form], **options)
    named = {"outputs": [value.name for value in there.graph.outputs]} if form == "pb" else {}
    return there, onnxpress.convert(folder / FORMATS[form], **named).model


def feeds(model: ir.Model) -> dict[str, Any]:
    """Numbers around 0, words or masks; the first place is never masked."""
    generator = np.random.default_rng(0)
    made: dict[str, Any] = {}
    for port in Session(model).inputs:
        shape = [size if isinstance(size, int) else 6 if axis else 2 for axis, size in enumerate(port.shape)]
        if port.dtype == "bool":
            made[port.name] = (generator.random(shape) < 0.7) | (np.arange(shape[-1]) == 0)
        elif port.dtype == "int32":
            made[port.name] = generator.integers(0, 12, shape, np.int32)
            made[port.name][:, 0] = 1
        else:
            made[port.name] = generator.standard_normal(shape).astype(port.dtype)
    return made


def assert_equal(actual: dict[str, Any], expected: dict[str, Any], tolerance: float = TOLERANCE) -> None:
    assert actual.keys() == expected.keys()
    for name, array in expected.items():
        assert np.abs(actual[name] - array).max() <= tolerance * np.abs(array).max(), name


def assert_same_ends(there: ir.Model, again: ir.Model, *, ordered: bool) -> None:
    """Names, types and sizes; those that were open may have become known.  A signature of TensorFlow has no order."""
    for before, after in ((there.graph.inputs, again.graph.inputs), (there.graph.outputs, again.graph.outputs)):
        known = {value.name: value for value in after}
        assert known.keys() == {value.name for value in before}
        assert not ordered or list(known) == [value.name for value in before]
        for value in before:
            other = known[value.name]
            assert other.dtype == value.dtype and value.shape is not None and other.shape is not None
            sizes = zip(value.shape, other.shape, strict=True)
            assert all(size == now for size, now in sizes if isinstance(size, int)), (value, other)


def check(name: str, form: str, keras: Any, folder: Path) -> None:
    network = NETWORKS[name](keras)
    there, again = trip(network, form, folder, **({"batch": 2} if (name, form) in LOOPS else {}))
    samples = feeds(there)
    if name != "halves":
        given = [samples[tensor.name] for tensor in network.inputs]
        results = network(given if len(given) > 1 else given[0], training=False)
        expected = (
            {key: np.asarray(value) for key, value in results.items()}
            if isinstance(results, dict)
            else {there.graph.outputs[0].name or "": np.asarray(results)}
        )
        assert_equal(Session(again).run(samples), expected)
    assert_equal(Session(again).run(samples), Session(there).run(samples), HALF if name == "halves" else TOLERANCE)
    assert (name, form) in LOOPS or elements(again) == elements(there)
    assert_same_ends(there, again, ordered=form in ("pb", "keras"))
    if form == "pb":
        ops = FrozenGraph(folder / FORMATS["pb"]).ops()
        assert ops.count("Transpose") <= TRANSPOSES.get(name, 0)


@pytest.mark.parametrize(("name", "form"), SHORT)
def test_a_network_comes_back(name: str, form: str, keras: Any, tmp_path: Path) -> None:
    check(name, form, keras, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize(("name", "form"), LONG)
def test_every_network_comes_back(name: str, form: str, keras: Any, tmp_path: Path) -> None:
    check(name, form, keras, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize(("name", "form"), REFUSED)
def test_what_a_format_cannot_hold_is_refused(name: str, form: str, keras: Any, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModel, match=REFUSED[name, form]):
        trip(NETWORKS[name](keras), form, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["there.onnx"]


def quantising(tf: Any) -> Any:
    """What training with simulated quantisation leaves: kernels by channel and by tensor, ranges that are variables."""
    generator = np.random.default_rng(0)
    by_tensor = tf.quantization.fake_quant_with_min_max_vars
    by_channel = tf.quantization.fake_quant_with_min_max_vars_per_channel

    def variable(*shape: int) -> Any:
        return tf.Variable(0.3 * generator.standard_normal(shape).astype(np.float32))

    class Network(tf.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.kernels = [variable(3, 3, 3, 8), variable(3, 3, 8, 1), variable(1, 1, 8, 12), variable(12, 5)]
            self.biases = [variable(8), variable(8), variable(12), variable(5)]
            self.kernel_ends = [
                tf.Variable(np.abs(kernel.numpy()).reshape(-1, kernel.shape[-1]).max(0)) for kernel in self.kernels
            ]
            ends = [(-2.7, 3.1), (0.0, 5.3), (0.0, 4.1), (0.0, 2.2), (0.0, 2.0), (-7.0, 9.0)]
            self.ends = [tf.Variable(pair) for pair in ends]

        def kernel(self, index: int) -> Any:
            ends = self.kernel_ends[index]
            if index == 1:
                return by_tensor(self.kernels[1], -0.8, 0.8, narrow_range=True)
            return by_channel(self.kernels[index], -ends, ends, narrow_range=True)

        @tf.function(input_signature=[tf.TensorSpec((None, 16, 16, 3), name="x")])  # type: ignore[untyped-decorator]
        def __call__(self, x: Any) -> Any:
            ranges = [(ends[0], ends[1]) for ends in self.ends]
            x = by_tensor(x, *ranges[0])
            x = tf.nn.relu(tf.nn.conv2d(x, self.kernel(0), 2, "SAME") + self.biases[0])
            x = tf.nn.depthwise_conv2d(by_tensor(x, *ranges[1]), self.kernel(1), [1] * 4, "SAME") + self.biases[1]
            x = tf.nn.conv2d(by_tensor(tf.nn.relu6(x), *ranges[2]), self.kernel(2), 1, "SAME") + self.biases[2]
            x = tf.reduce_mean(by_tensor(tf.nn.relu(x), *ranges[3]), (1, 2))
            return {"y": by_tensor(by_tensor(x, *ranges[4]) @ self.kernel(3) + self.biases[3], *ranges[5])}

    return Network()


def grids(model: ir.Model) -> Counter[Any]:
    """Scales and zero points, as if all integers were signed, and what is stored in integers of 8 bits."""
    found: Counter[Any] = Counter()
    for node in model.graph.all_nodes():
        if node.op_type not in ("QuantizeLinear", "DequantizeLinear"):
            continue
        data, scale, zero_point = ((value and value.const_value and value.const_value.numpy()) for value in node.inputs)
        if zero_point.dtype == np.uint8:
            zero_point = zero_point.astype(np.int32) - 128
        if zero_point.dtype != np.int32 or data is None:
            integers = b"" if data is None else np.sort(data, None).tobytes()
            found[node.op_type, scale.tobytes(), zero_point.astype(np.int8).tobytes(), integers] += 1
    return found


@pytest.mark.parametrize("form", ["pb", "savedmodel", "tflite"])
def test_grids_come_back_as_they_were(form: str, tf: Any, tmp_path: Path) -> None:
    network = quantising(tf)
    there, again = trip(network, form, tmp_path)
    assert len(grids(there)) == 16
    lost = grids(there) - grids(again)
    assert not lost
    assert form == "tflite" or grids(again) == grids(there)
    samples = {"x": np.random.default_rng(1).standard_normal((4, 16, 16, 3)).astype(np.float32)}
    expected = network(samples["x"])["y"].numpy()
    difference = np.abs(Session(again).run(samples)["y"] - expected) / (16 / 255)
    assert difference.max() < 1.001 and np.mean(difference > 0.001) <= 0.05


def test_weights_of_8_bits_come_back_as_they_were(keras: Any, tmp_path: Path) -> None:
    there = onnxpress.convert(NETWORKS["encoder"](keras)).model
    paths = [tmp_path / name for name in ("first.pb", "second.pb")]
    onnxpress.convert(there, out=paths[0], mode="quantize-weights")
    again = onnxpress.convert(paths[0]).model
    onnxpress.convert(again, out=paths[1], mode="quantize-weights")
    first, second = (FrozenGraph(path).graph.as_graph_def().node for path in paths)
    stored = [
        sorted(node.attr["value"].tensor.tensor_content for node in nodes if node.attr["dtype"].type == 12)
        for nodes in (first, second)
    ]
    assert len(stored[0]) > 3
    assert stored[0] == stored[1]
    samples = feeds(there)
    assert_equal(Session(onnxpress.convert(paths[1]).model).run(samples), Session(again).run(samples))


def test_graphs_of_tensorflow_1_with_channels_in_front_come_back(tf: Any, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)

    def constant(*shape: int) -> Any:
        return tf.constant(generator.uniform(0.2, 0.9, shape).astype(np.float32))

    with tf.Graph().as_default() as graph:
        v1 = tf.compat.v1
        x = v1.placeholder(tf.float32, (None, 3, 16, 16), name="x")
        y = tf.nn.conv2d(x, constant(3, 3, 3, 8), [1, 1, 2, 2], "SAME", data_format="NCHW")
        y = tf.nn.bias_add(y, constant(8), data_format="NCHW")
        parameters = [constant(8) for _ in range(4)]
        y = v1.nn.fused_batch_norm(y, *parameters, data_format="NCHW", is_training=False)[0]
        y = tf.nn.depthwise_conv2d(tf.nn.relu(y), constant(3, 3, 8, 1), [1] * 4, "SAME", data_format="NCHW")
        y = tf.nn.max_pool2d(y, 3, 2, "SAME", data_format="NCHW") + tf.nn.avg_pool2d(
            y, 2, 2, "VALID", data_format="NCHW"
        )
        y = tf.nn.conv2d_transpose(y, constant(3, 3, 4, 8), (2, 4, 8, 8), 2, data_format="NCHW")
        y = tf.nn.space_to_depth(y, 2, data_format="NCHW")
        tf.nn.softmax(tf.reduce_mean(y, (2, 3)), name="scores")
    path = tmp_path / "graph.pb"
    path.write_bytes(graph.as_graph_def().SerializeToString())
    there, again = trip(path, "pb", tmp_path)
    samples = feeds(there)
    expected = Session(there).run(samples)
    assert_equal(Session(again).run(samples), expected)
    back = FrozenGraph(tmp_path / FORMATS["pb"])
    assert_equal(dict(zip(expected, back.run(samples, list(expected)), strict=True)), expected)
    assert back.ops().count("Transpose") == 1
    assert_same_ends(there, again, ordered=True)
