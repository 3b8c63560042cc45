"""Low-rank decomposition of whole networks: they keep their accuracy, quantise, translate, and are split again.

The trained networks are the demo's of 3x3 convolutions, whose layers have hardly a rank to spare, and HED, whose have
many. The others are Keras networks whose kernels are of low rank but for some noise.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

import onnxpress
from applications import blotches
from calibrated import runtime_ops
from frozen_graphs import FrozenGraph
from low_rank_networks import kernel
from onnxpress import model_files
from onnxpress.cli import _run
from onnxpress.decomposition import apply, info
from onnxpress.runtime import Session
from onnxpress.workflow import Result

DEMO = Path(__file__).parents[2] / "demo"
SIZE, RANK = 32, 12


def sqnr_db(expected: Any, found: Any) -> float:
    return float(10 * np.log10(np.square(expected).sum() / np.square(expected - found).sum()))


def weights_of(model: ir.Model) -> dict[str, Any]:
    values = model.graph.initializers.values()
    return {str(value.name): value.const_value.numpy() for value in values if value.const_value is not None}


@pytest.fixture(scope="module")
def fashion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the demo's network, and what the command line makes of it."""
    folder = tmp_path_factory.mktemp("fashion")
    onnxpress.convert(DEMO / "models" / "fashion_conv", out=folder / "whole.onnx")
    data = ["--data", str(DEMO / "data" / "calibration.npz")]
    judges = ["--eval-data", str(DEMO / "data" / "test.npz"), "--labels", str(DEMO / "data" / "test-labels.npy")]
    files = ["-o", str(folder / "small.onnx"), "--report", str(folder / "report.json")]
    assert _run(["compress", str(folder / "whole.onnx"), "--recipe", "low-rank", *data, *judges, *files]) == 0
    return folder


def test_a_compact_network_keeps_its_accuracy(fashion: Path) -> None:
    report = json.loads((fashion / "report.json").read_text())
    comparison, notes = report["comparison"], report["steps"][-1]["notes"]
    assert comparison["samples"] == 2000
    assert comparison["accuracy_b"] >= comparison["accuracy_a"] - 0.003
    assert notes["details"]["layers"], "a network that stays whole keeps its accuracy at no price"
    assert any("the most that is allowed" in declined["reason"] for declined in notes["declined"])


def test_the_command_leaves_the_info_file_beside_the_model(fashion: Path) -> None:
    stacks = info.load(fashion / "small.decomposition.json")
    small = model_files.load(fashion / "small.onnx")
    names = {node.name for node in small.graph}
    assert stacks
    assert all(part.name in names for stack in stacks for part in stack.parts)
    assert {stack.layer.name for stack in stacks} <= {node.name for node in whole(fashion).graph}


def test_the_whole_network_is_split_again(fashion: Path) -> None:
    small = model_files.load(fashion / "small.onnx")
    again = apply(fashion / "small.decomposition.json", whole(fashion), weights=weights_of(small))
    images = np.load(DEMO / "data" / "test.npz")["image"][:50].astype(np.float32)
    expected, found = (Session(model).run({"image": images})["logits"] for model in (small, again))
    np.testing.assert_array_equal(found, expected)


def whole(folder: Path) -> ir.Model:
    return model_files.load(folder / "whole.onnx")


@pytest.fixture(scope="module")
def vgg() -> Any:
    """Convolutions with BatchNormalization and pooling in between, on images of 32 x 32 x 3."""
    import keras

    generator = np.random.default_rng(0)
    x = image = keras.Input((SIZE, SIZE, 3), name="image")
    for outputs, inputs, pooled in ((64, 3, False), (64, 64, True), (128, 64, False), (128, 128, True)):
        numbers = kernel(outputs, inputs, 3, 3, rank=RANK, seed=outputs + inputs).transpose(2, 3, 1, 0)
        convolution = keras.layers.Conv2D(outputs, 3, padding="same", use_bias=False)
        normalization = keras.layers.BatchNormalization()
        x = keras.layers.ReLU()(normalization(convolution(x)))
        convolution.set_weights([numbers])
        near_one = [generator.uniform(0.5, 1.5, outputs) for _ in range(2)]
        near_zero = [generator.normal(0, 0.2, outputs) for _ in range(2)]
        normalization.set_weights([near_one[0], *near_zero, near_one[1]])
        x = keras.layers.MaxPooling2D(2)(x) if pooled else x
    x = keras.layers.Dense(10, name="logits")(keras.layers.GlobalAveragePooling2D()(x))
    return keras.Model(image, x)


@pytest.fixture(scope="module")
def calibration() -> Any:
    return blotches(16, SIZE, SIZE, low=-1, high=1, seed=0)


@pytest.fixture(scope="module")
def images() -> Any:
    return blotches(16, SIZE, SIZE, low=-1, high=1, seed=1)


@pytest.fixture(scope="module")
def logits(vgg: Any, images: Any) -> Any:
    return vgg(images, training=False).numpy()


@pytest.fixture(scope="module")
def low_rank(vgg: Any, calibration: Any, tmp_path_factory: pytest.TempPathFactory) -> Result:
    return onnxpress.compress(
        vgg, recipe="low-rank", data=calibration, out=tmp_path_factory.mktemp("vgg") / "small.onnx", threads=1
    )


def run(model: ir.Model, pictures: Any, **options: Any) -> Any:
    (found,) = Session(model, threads=1, **options).run({"image": pictures}).values()
    return found


def test_a_keras_network_is_decomposed(low_rank: Result, images: Any, logits: Any) -> None:
    (before, after) = low_rank.run.steps[-1].notes.details["macs"]
    assert after < 0.5 * before
    assert sum(node.op_type == "Conv" for node in low_rank.model.graph) == 4 + 3
    assert all(node.op_type != "BatchNormalization" for node in low_rank.model.graph)
    assert sqnr_db(logits, run(low_rank.model, images)) > 35


def test_it_is_quantised_too(vgg: Any, calibration: Any, images: Any, logits: Any) -> None:
    made = onnxpress.compress(vgg, recipe="low-rank-int8", data=calibration, threads=1)
    split = made.run.steps[[step.name for step in made.run.steps].index("decompose")].notes.details["layers"]
    assert split
    assert runtime_ops(made.model)["QLinearConv"] == 4 + len(split)
    assert sqnr_db(logits, run(made.model, images, optimize=True)) > 25


def test_it_goes_to_tensorflow_and_back(low_rank: Result, images: Any, tmp_path: Path) -> None:
    onnxpress.convert(Path(low_rank.run.files[0]), out=tmp_path / "small.pb")
    graph = FrozenGraph(tmp_path / "small.pb")
    assert graph.ops().count("Transpose") == 0
    assert graph.ops().count("Conv2D") == 4 + 3
    expected = run(low_rank.model, images)
    (found,) = graph.run({"image": images}, [str(low_rank.model.graph.outputs[0].name)])
    again = onnxpress.convert(tmp_path / "small.pb").model
    for other in (found, run(again, images)):
        np.testing.assert_allclose(other, expected, rtol=0, atol=1e-5 * np.abs(expected).max())
    assert sum(node.op_type == "Conv" for node in again.graph) == 4 + 3


@pytest.mark.long
def test_a_trained_edge_detector_finds_the_same_edges() -> None:
    from models import edges
    from models.onnx_files import onnx_file

    source = onnx_file("hed")
    calibration, test = edges.crops(edges.CALIBRATION, 4, seed=0), edges.crops(edges.TEST, 3, seed=1)
    expected = Session(source).run({"image": test})["edges"]
    for budget, overlap in ((0.39, 0.96), (0.5, 0.98)):
        made = onnxpress.compress(
            source,
            recipe="low-rank",
            data=calibration,
            evaluation={"image": test[:1]},
            step_options={"decompose.budget": budget},
        )
        before, after = made.run.steps[-1].notes.details["macs"]
        found = Session(made.model, optimize=True).run({"image": test})["edges"]
        assert after / before == pytest.approx(budget, abs=0.001)  # layers that no stack fits are outside of the budget
        assert edges.agreement(expected, found).overlap >= overlap
