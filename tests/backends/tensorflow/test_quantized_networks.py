"""Networks quantised by our own recipe, layer by layer against onnxruntime's QDQ with optimisation off.

Each layer of TensorFlow's graph is fed with what onnxruntime has there, so that differences do not pile up.  FakeQuant
rounds ties up, and what is nearer to a tie than float32 tells apart either way; such numbers are common where two
quantised tensors are added, and are not counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from applications import blotches, build
from calibrated import graph, numbers
from frozen_graphs import FrozenGraph
from onnxpress import compress, convert
from onnxpress.runtime import Session
from onnxpress_backends.tensorflow.frozen_graph import TENSORFLOW_PB

TIE = 1e-5
"""Steps from a tie that FakeQuant, which subtracts the least number first, cannot tell from one."""

MODES = ["exact", "fake-quant", "float", "quantize-weights"]


@pytest.fixture(scope="module")
def small() -> ir.Model:
    """Convolutions of every kind, a residual sum, a matrix product; quantised."""
    body = """c = Conv<pads=[1,1,1,1]>(x, k, b) r = Relu(c)
        d = Conv<pads=[1,1,1,1], group=8>(r, kd) p = Conv(d, kp) s = Add(p, r) t = Relu(s)
        m = MaxPool<kernel_shape=[2,2], strides=[2,2]>(t) g = GlobalAveragePool(m) f = Flatten(g)
        y = Gemm(f, w, v)"""
    weights = {"k": (8, 4, 3, 3), "b": (8,), "kd": (8, 1, 3, 3), "kp": (8, 8, 1, 1), "w": (8, 5), "v": (5,)}
    constants = {name: numbers(*shape, seed=seed) / 2 for seed, (name, shape) in enumerate(weights.items())}
    model = graph(body, x="float[N,4,16,16] x", y="float[N,5] y", **constants)
    images = [{"x": numbers(8, 4, 16, 16, seed=seed)} for seed in range(4)]
    return compress(model, recipe="int8", data=images).model


def emitted(model: ir.Model, folder: Path, mode: str) -> FrozenGraph:
    path = folder / f"{mode}.pb"
    TENSORFLOW_PB.emit(model, path, mode=mode)
    return FrozenGraph(path)


def everything(model: ir.Model, feeds: Mapping[str, Any]) -> dict[str, Any]:
    """All computed values, in onnxruntime with optimisation off."""
    names = [output.name for node in model.graph for output in node.outputs if output.name]
    return Session(model, outputs=names, threads=1).run(feeds) | dict(feeds)


def pairs(model: ir.Model) -> Iterator[tuple[str, str, np.float32]]:
    """What is quantised, what is dequantised, and the scale, of every pair around a computed tensor."""
    for node in model.graph:
        made = node.inputs[0].producer() if node.op_type == "DequantizeLinear" and node.inputs[0] else None
        if made is not None and made.op_type == "QuantizeLinear":
            source, scale = made.inputs[0], made.inputs[1]
            assert source is not None and scale is not None and scale.const_value is not None
            yield source.name or "", node.outputs[0].name or "", scale.const_value.numpy()


def source_of(operation: Any) -> Any:
    """The tensor that a simulated pair reads."""
    while operation.type in ("Mul", "Sub", "ClipByValue", "AddV2", "Round"):
        operation = operation.inputs[0].op
    assert operation.type in ("DivNoNan", "FakeQuantWithMinMaxVars")
    return operation.inputs[0]


def steps_off(graph: FrozenGraph, model: ir.Model, values: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """For each pair its name, the distance from onnxruntime's result in steps, both being fed the same, and ties."""
    import tensorflow as tf

    with tf.compat.v1.Session(graph=graph.graph) as session:
        for before, after, scale in pairs(model):
            operation = graph.graph.get_operation_by_name(after)
            tensor = source_of(operation)
            fed, expected = values[before], values[after]
            if expected.ndim == 4 and tensor.shape[-1] == expected.shape[1]:
                fed, expected = (array.transpose(0, 2, 3, 1) for array in (fed, expected))
            actual = session.run(operation.outputs[0], {tensor: fed})
            assert actual.shape == expected.shape
            steps = np.abs(fed.astype(np.float64) / scale)
            yield after, np.abs(actual - expected) / scale, np.abs(steps % 1 - 0.5) < TIE


def assert_within_a_step(graph: FrozenGraph, model: ir.Model, values: Mapping[str, Any]) -> None:
    for name, distance, tie in steps_off(graph, model, values):
        assert distance.max() < 1.001, name
        assert np.mean((distance > 0.001) & ~tie) <= 1e-4, name


def cosine(one: Any, other: Any) -> float:
    return float(np.vdot(one, other) / np.linalg.norm(one) / np.linalg.norm(other))


def test_exact_layers_are_equal_to_the_last_bit(small: ir.Model, tmp_path: Path, tf: Any) -> None:
    values = everything(small, {"x": numbers(64, 4, 16, 16, seed=9)})
    distances = [distance.max() for _, distance, _ in steps_off(emitted(small, tmp_path, "exact"), small, values)]
    assert len(distances) >= 6
    assert not any(distances)


def test_fake_quantised_layers_are_one_step_off_where_they_are(small: ir.Model, tmp_path: Path, tf: Any) -> None:
    values = everything(small, {"x": numbers(64, 4, 16, 16, seed=9)})
    assert_within_a_step(emitted(small, tmp_path, "fake-quant"), small, values)


@pytest.mark.parametrize("mode", MODES)
def test_the_whole_network(small: ir.Model, tmp_path: Path, tf: Any, mode: str) -> None:
    feeds = {"x": numbers(64, 4, 16, 16, seed=9)}
    (expected,) = Session(small, threads=1).run(feeds).values()
    graph = emitted(small, tmp_path, mode)
    (actual,) = graph.run(feeds, ["y"])
    *_, (_, _, step) = pairs(small)
    if mode in ("exact", "fake-quant"):
        assert np.abs(actual - expected).max() < 1.001 * step
    assert cosine(actual, expected) >= (0.9999 if mode in ("exact", "fake-quant") else 0.99)
    assert graph.ops().count("Transpose") == 1
    fake = Counter(op for op in graph.ops() if op.startswith("FakeQuant"))
    if mode == "fake-quant":
        assert fake == {"FakeQuantWithMinMaxVars": len(list(pairs(small))), "FakeQuantWithMinMaxVarsPerChannel": 4}
    else:
        assert not fake


def test_float_weights_are_simulated_too(tmp_path: Path, tf: Any) -> None:
    """A network in training, its kernels float behind a pair: they stay float, and FakeQuant stands behind them."""
    from onnxpress.testing import model as parse

    kernel = numbers(8, 4, 3, 3)
    scale = (np.abs(kernel).max((1, 2, 3)) / 127).astype(np.float32)
    text = """<ir_version: 10, opset_import: ["" : 17]>
        g (float[2,4,8,8] x, float[8,4,3,3] k, float[8] s, int8[8] z) => (float[] y) {
        q = QuantizeLinear<axis=0>(k, s, z) d = DequantizeLinear<axis=0>(q, s, z) y = Conv(x, d) }"""
    model = parse(text, k=kernel, s=scale, z=np.zeros(8, np.int8))
    feeds = {"x": numbers(2, 4, 8, 8)}
    (expected,) = Session(model).run(feeds).values()
    for mode in ("exact", "fake-quant"):
        (actual,) = emitted(model, tmp_path, mode).run(feeds, ["y"])
        np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())
    nodes = {node.name: node for node in emitted(model, tmp_path, "fake-quant").graph.as_graph_def().node}
    fake = next(node for node in nodes.values() if node.op == "FakeQuantWithMinMaxVarsPerChannel")
    written = np.frombuffer(nodes[fake.input[0]].attr["value"].tensor.tensor_content, np.float32)
    np.testing.assert_array_equal(written.reshape(3, 3, 4, 8), kernel.transpose(2, 3, 1, 0))
    assert (fake.attr["num_bits"].i, fake.attr["narrow_range"].b) == (8, True)
    unquantised = parse("g (float[2,4,8,8] x, float[8,4,3,3] k) => (float[] y) { y = Conv(x, k) }", k=kernel)
    (plain,) = Session(unquantised).run(feeds).values()
    (actual,) = emitted(model, tmp_path, "float").run(feeds, ["y"])
    np.testing.assert_allclose(actual, plain, rtol=1e-5, atol=1e-5 * np.abs(plain).max())


def test_simulated_quantisation_comes_back_as_it_went(tmp_path: Path, tf: Any) -> None:
    """FakeQuant -> QDQ -> FakeQuant: the same grids, and within a step of what TensorFlow gave."""
    kernel = tf.Variable(numbers(3, 3, 4, 8))

    @tf.function(input_signature=[tf.TensorSpec((None, 8, 8, 4), name="x")])
    def network(x: Any) -> Any:
        x = tf.quantization.fake_quant_with_min_max_vars(x, -2.5, 3.0)
        largest = tf.reduce_max(tf.abs(kernel), (0, 1, 2))
        weight = tf.quantization.fake_quant_with_min_max_vars_per_channel(kernel, -largest, largest, narrow_range=True)
        y = tf.nn.relu(tf.nn.conv2d(x, weight, 1, "SAME"))
        return tf.quantization.fake_quant_with_min_max_vars(y, 0.0, 20.0)

    module = tf.Module()
    module.call, module.kernel = network, kernel
    tf.saved_model.save(module, tmp_path / "saved", signatures={"serving_default": network})
    model = convert(tmp_path / "saved").model
    name, x = model.graph.outputs[0].name, numbers(4, 8, 8, 4, seed=5)
    graph = emitted(model, tmp_path, "fake-quant")
    ops = Counter(op for op in graph.ops() if op not in ("Const", "Placeholder", "Identity"))
    assert ops["FakeQuantWithMinMaxVars"] == 2 and ops["FakeQuantWithMinMaxVarsPerChannel"] == 1
    assert ops["Transpose"] == 0
    (actual,) = graph.run({"x": x}, [name])
    distance = np.abs(actual - network(tf.constant(x)).numpy()) / (20 / 255)
    assert distance.max() < 1.001
    assert np.mean(distance > 0.001) <= 1e-3
    again = convert(tmp_path / "fake-quant.pb").model
    for one, other in zip(pairs(model), pairs(again), strict=True):
        assert one[2] == other[2]


def test_a_quantised_network_comes_back_as_it_went(small: ir.Model, tmp_path: Path, tf: Any) -> None:
    """QDQ -> FakeQuant -> QDQ: the same grids, the same integers, the same numbers."""
    emitted(small, tmp_path, "fake-quant")
    again = convert(tmp_path / "fake-quant.pb").model
    assert [scale for *_, scale in pairs(again)] == [scale for *_, scale in pairs(small)]
    feeds = {"x": numbers(64, 4, 16, 16, seed=9)}
    (expected,), (actual,) = (Session(model, threads=1).run(feeds).values() for model in (small, again))
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-6)
    sizes = [sum(weight.size for weight in stored_weights(model)) for model in (small, again)]
    assert sizes[0] == sizes[1]


def stored_weights(model: ir.Model) -> list[Any]:
    constants = [value.const_value for value in model.graph.initializers.values()]
    eight = (ir.DataType.INT8, ir.DataType.UINT8)
    return [each.numpy() for each in constants if each is not None and each.dtype in eight and each.size > 8]


@pytest.mark.long
def test_mobilenet(tmp_path: Path, tf: Any) -> None:
    network = build("MobileNetV2")
    images = blotches(8, 224, 224, low=-1, high=1, seed=1)
    name = convert(network).model.graph.inputs[0].name or ""
    model = compress(network, recipe="int8", data=[{name: images[index : index + 1]} for index in range(8)]).model
    feeds = {name: blotches(2, 224, 224, low=-1, high=1, seed=2)}
    values = everything(model, feeds)
    output = model.graph.outputs[0].name or ""
    for mode in ("exact", "fake-quant"):
        graph = emitted(model, tmp_path, mode)
        assert "Transpose" not in graph.ops()
        assert len(list(pairs(model))) == 66
        if mode == "exact":
            assert not any(distance.max() for _, distance, _ in steps_off(graph, model, values))
        else:
            assert_within_a_step(graph, model, values)
        assert cosine(graph.run(feeds, [output])[0], values[output]) >= 0.9999
