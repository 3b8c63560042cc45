"""What is written for Ascend computes what the quantised model says, to the bit.

Networks, drawn by hypothesis and real, are quantised for Ascend, deployed, and run by the simulator.  Every accumulator
and every dequantised output is that of int64 arithmetic on the integers that the quantised model stores.  AscendQuant
multiplies by the reciprocal of the step where QuantizeLinear divides by the step, so that a number next to a tie may
round to the other side: such numbers are counted, and nothing else may differ.  The frozen graph, run by a TensorFlow
that knows nothing of this project, gives the bits of profile ``tf``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import onnxpress
from ascend_networks import networks
from clean_tensorflow import CleanTensorflow
from integer_layers import IntegerLayer, integer_layers
from onnxpress.ascend.layers import layers
from onnxpress.ascend.simulation.simulator import Simulator
from onnxpress.quantize import quantize
from onnxpress.runtime import Session
from onnxpress.testing import model as parse
from onnxpress_backends.ascend.deploy_writing import emit as write_onnx
from onnxpress_backends.ascend.deploying import deployed
from onnxpress_backends.ascend.fake_quantization import fake_quantised
from onnxpress_backends.ascend.frozen_graphs.writing import emit as write_frozen_graph

TARGETS = ("ascend", "ascend-narrow", "ascend-symmetric")
DEMO = Path(__file__).parents[2] / "demo"
Arrays = Mapping[str, np.ndarray[Any, Any]]


@dataclass
class Rounded:
    """What AscendQuant made of numbers.

    Attributes:
        numbers: How many it was given.
        near_ties: How many it gave the neighbour of the integer that QuantizeLinear gives.
    """

    numbers: int = 0
    near_ties: int = 0


def int8(model: ir.Model, target: str, samples: int = 16) -> ir.Model:
    """`model` quantised for `target`, on random data."""
    shapes = {
        port.name: [size if isinstance(size, int) else samples for size in port.shape or ()] for port in inputs(model)
    }
    generator = np.random.default_rng(0)
    data = {name: generator.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    return onnxpress.compress(model, data=data, target=target, threads=1).model


def inputs(model: ir.Model) -> list[ir.Value]:
    return list(model.graph.inputs)


def feeds_of(deploy: ir.Model, seed: int = 1) -> dict[str, np.ndarray[Any, Any]]:
    """Random numbers, some beyond what was calibrated."""
    generator = np.random.default_rng(seed)
    shapes = {str(port.name): port.shape.numpy() for port in inputs(deploy) if port.shape is not None}
    return {name: (1.5 * generator.normal(size=shape)).astype(np.float32) for name, shape in shapes.items()}


def hold_to_integers(model: ir.Model, deploy: ir.Model, feeds: Arrays) -> Rounded:
    """Assert that every layer of the deploy model computes what the quantised model stores; count what was rounded."""
    found = {layer.cube.name: layer for layer in layers(deploy)}
    stored = list(integer_layers(model))
    assert [layer.node.name for layer in stored] == list(found)
    values = {**feeds, **Simulator(deploy, "rint", threads=1, probes=probes(deploy, found.values())).run(feeds)}
    rounded, alive = Rounded(), False
    for reference in stored:
        layer = found[reference.node.name]
        data, quantised = (values[value.name] for value in (layer.quant.inputs[0], layer.quant.outputs[0]))
        count(rounded, data, quantised, reference)
        accumulator = reference.accumulator(quantised)
        floats = reference.floats(accumulator)
        alive |= bool(floats.any())
        np.testing.assert_array_equal(values[layer.dequant.inputs[0].name], accumulator)
        assert values[layer.dequant.outputs[0].name].tobytes() == floats.tobytes()
        assert layer.dequant.outputs[0].name == reference.output
    assert alive, "all zeros would prove nothing"
    return rounded


def probes(deploy: ir.Model, found: Any) -> list[str]:
    """What goes into each layer, its integers, its accumulators and its floats."""
    given = {port.name for port in inputs(deploy)}
    ends: list[ir.Value] = []
    for layer in found:
        ends += [layer.quant.inputs[0], layer.quant.outputs[0], layer.dequant.inputs[0], layer.dequant.outputs[0]]
    return [name for name in dict.fromkeys(str(value.name) for value in ends) if name not in given]


def count(rounded: Rounded, data: Any, quantised: Any, reference: IntegerLayer) -> None:
    """Assert that integers are those of QuantizeLinear, but for neighbours of numbers that float32 sees at a tie."""
    scale, zero_point = reference.scale, reference.zero_point
    assert (quantised == np.clip(np.rint(data * (np.float32(1) / scale)) + zero_point, -128, 127)).all()
    differ = quantised != quantize(data, scale, zero_point, dtype="int8")
    rounded.numbers += data.size
    rounded.near_ties += int(differ.sum())
    exact = data[differ].astype(np.float64) / np.float64(scale)
    to_tie = np.abs(np.abs(exact - np.floor(exact)) - 0.5)
    assert (to_tie <= np.abs(exact) * 2.0**-22).all(), "three roundings of float32, of half a unit each"


@pytest.fixture(scope="module")
def tensorflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CleanTensorflow]:
    process = CleanTensorflow(tmp_path_factory.mktemp("tensorflow"))
    yield process
    process.close()


def run_frozen_graph(
    model: ir.Model, feeds: Arrays, tensorflow: CleanTensorflow, path: Path
) -> dict[str, np.ndarray[Any, Any]]:
    """What the frozen graph of a quantised model gives in TensorFlow."""
    write_frozen_graph(model, path, batch=len(next(iter(feeds.values()))))
    return tensorflow.run(path, feeds, [str(output.name) for output in model.graph.outputs])


def linear_nodes(model: ir.Model) -> list[ir.Node]:
    kinds = ("Conv", "ConvTranspose", "Gemm", "MatMul", "AveragePool")
    return [node for node in model.graph.all_nodes() if node.op_type in kinds]


@settings(max_examples=40)
@given(networks(), st.sampled_from(TARGETS))
def test_every_layer_of_any_network_sums_the_stored_integers(network: ir.Model, target: str) -> None:
    model = int8(network, target)
    assume(list(integer_layers(model)))
    deploy = deployed(model, batch=3)
    assert hold_to_integers(model, deploy, feeds_of(deploy)).near_ties <= 1


def test_numbers_next_to_ties_are_the_only_ones_that_round_another_way() -> None:
    """Half steps and their neighbours in float32, which a network hardly ever meets."""
    weight = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
    product = parse("g (float[N,6] x, float[6,4] w) => (y) { y = MatMul(x, w) }", w=weight)
    product.graph[0].name = "product"
    model = int8(product, "ascend")
    deploy = deployed(model, batch=500)
    (layer,) = integer_layers(model)
    ties = (np.arange(-300, 200).astype(np.float64) + 0.5)[:, np.newaxis] * np.float64(layer.scale)
    beside = ties.astype(np.float32)
    near = [beside, *(np.nextafter(beside, np.float32(side)) for side in (-np.inf, np.inf)), beside, beside, beside]
    rounded = hold_to_integers(model, deploy, {"x": np.concatenate(near, axis=1)})
    assert 10 < rounded.near_ties < rounded.numbers / 3


def test_sums_that_float32_cannot_hold() -> None:
    """4,000 products of one sign, up to 255 * 127 each, are beyond 2**24, to where float32 has every integer."""
    generator = np.random.default_rng(0)
    weight = generator.uniform(0.5, 1, (4000, 8)).astype(np.float32)
    product = parse("g (float[N,4000] x, float[4000,8] w) => (y) { y = MatMul(x, w) }", w=weight)
    product.graph[0].name = "product"
    data = generator.uniform(0, 1, (4, 4000)).astype(np.float32)
    model = onnxpress.compress(product, data=data, target="ascend", threads=1).model
    deploy = deployed(model, batch=4)
    hold_to_integers(model, deploy, {"x": data})
    (layer,) = integer_layers(model)
    sums = layer.accumulator(quantize(data, layer.scale, layer.zero_point, dtype="int8"))
    assert sums.min() > 2**24
    assert (sums % 4 != 0).any(), "float32 would hold these"


@settings(max_examples=15)
@given(networks(transposed_groups=False), st.sampled_from(TARGETS))  # groups have a scale each, which moves the weight
def test_files_that_are_read_again_sum_the_same_integers(
    tmp_path_factory: pytest.TempPathFactory, network: ir.Model, target: str
) -> None:
    model = int8(network, target)
    assume(list(integer_layers(model)))
    folder = tmp_path_factory.mktemp("files")
    feeds = feeds_of(deployed(model, batch=3))
    expected = Simulator(deployed(model, batch=3), "rint", threads=1).run(feeds)
    for file in write_onnx(model, folder / "network_deploy_model.onnx", batch=3):
        again = onnxpress.convert(file, recipe=[]).model
        deploy = deployed(again)
        hold_to_integers(again, deploy, feeds)
        for name, numbers in Simulator(deploy, "rint", threads=1).run(feeds).items():
            np.testing.assert_array_equal(numbers, expected[name])


@settings(max_examples=20)
@given(networks(transposed_groups=False))  # of which GE knows none in TensorFlow's graphs
def test_the_files_of_any_network_give_the_bits_of_their_profiles(
    tensorflow: CleanTensorflow, tmp_path_factory: pytest.TempPathFactory, network: ir.Model
) -> None:
    model = int8(network, "ascend-narrow")
    assume(len(list(integer_layers(model))) == len(linear_nodes(model)))  # sums of floats round as their order goes
    deploy = deployed(model, batch=3)
    feeds = feeds_of(deploy)
    expected = Simulator(deploy, "rint", threads=1).run(feeds)
    for name, numbers in Session(fake_quantised(deploy), threads=1).run(feeds).items():
        np.testing.assert_array_equal(numbers, expected[name])
    path = tmp_path_factory.mktemp("frozen") / "network_quantized.pb"
    for name, numbers in run_frozen_graph(model, feeds, tensorflow, path).items():
        np.testing.assert_array_equal(numbers, Simulator(deploy, "tf", threads=1).run(feeds)[name])


@pytest.mark.parametrize("network", ["fashion_conv", "fashion_depthwise"])
@pytest.mark.parametrize("target", TARGETS)
def test_trained_networks(network: str, target: str, tensorflow: CleanTensorflow, tmp_path: Path) -> None:
    data = DEMO / "data"
    model = onnxpress.compress(DEMO / "models" / network, data=data / "calibration.npz", target=target, threads=1).model
    deploy = deployed(model, batch=16)
    (images,) = np.load(data / "test.npz").values()
    feeds = {str(model.graph.inputs[0].name): images[:16].astype(np.float32)}
    rounded = hold_to_integers(model, deploy, feeds)
    assert rounded.numbers > 600_000
    assert rounded.near_ties == 0
    expected = Simulator(deploy, "tf", threads=1).run(feeds)["logits"]
    actual = run_frozen_graph(model, feeds, tensorflow, tmp_path / f"{network}_quantized.pb")["logits"]
    np.testing.assert_array_equal(actual, expected)


def application(name: str) -> Any:
    """A network of Keras with random weights, its batch normalisations set so that signals stay alive."""
    from onnxpress_frontends.tensorflow_import import import_keras

    keras = import_keras()
    keras.utils.set_random_seed(0)
    model = getattr(keras.applications, name)(weights=None, input_shape=(64, 64, 3), classes=10)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    model(noise(16), training=True)
    return model


def noise(samples: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(samples).uniform(-1, 1, (samples, 64, 64, 3)).astype(np.float32)


@pytest.mark.parametrize(
    ("name", "count"),
    [("MobileNetV2", 53), pytest.param("ResNet50", 54, marks=pytest.mark.long)],
    ids=lambda it: str(it),
)
def test_networks_of_keras(name: str, count: int, tensorflow: CleanTensorflow, tmp_path: Path) -> None:
    model = onnxpress.compress(application(name), data=noise(4), target="ascend-narrow", threads=2).model
    assert len(list(integer_layers(model))) == count
    deploy = deployed(model, batch=2)
    (port,), (output,) = model.graph.inputs, model.graph.outputs
    feeds = {str(port.name): noise(2)}
    rounded = hold_to_integers(model, deploy, feeds)
    assert rounded.near_ties <= rounded.numbers / 100_000
    expected = Simulator(deploy, "tf", threads=1).run(feeds)[str(output.name)]
    actual = run_frozen_graph(model, feeds, tensorflow, tmp_path / f"{name}_quantized.pb")[str(output.name)]
    np.testing.assert_allclose(actual, expected, rtol=1e-6)  # a global mean, the exponentials of Softmax
