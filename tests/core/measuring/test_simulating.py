from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from deploy_layers import one_layer
from deploy_models import integers
from onnxpress import model_files, testing
from onnxpress.ascend import deploy_files
from onnxpress.ascend.simulation.simulator import Simulator
from onnxpress.errors import InvalidData, InvalidOption
from onnxpress.measuring.simulating import simulate_source

STEP = np.float32(1 / 64)
WEIGHT = integers(20, 4)


@pytest.fixture
def deployed(tmp_path: Path) -> Path:
    model = one_layer("Gemm", (2, 20), weight=WEIGHT, deq_scale=float(STEP / 100), scale=float(1 / STEP), offset=3)
    path = tmp_path / "net_deploy_model.onnx"
    deploy_files.save(model, path)
    return path


@pytest.fixture
def samples() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(9, 20)).astype(np.float32)


def test_accuracy_and_a_comparison_with_exact_arithmetic(deployed: Path, samples: np.ndarray):
    exact = Simulator(deploy_files.load(deployed), threads=1)
    scores = np.concatenate([exact.run({"x": samples[start : start + 2]})["y"] for start in range(0, 8, 2)])
    labels = [*scores.argmax(axis=1), 0]
    simulation = simulate_source(deployed, data=samples, labels=labels)
    assert (simulation.profile, simulation.samples, simulation.layers) == ("device", 8, 1)
    assert simulation.rolled_back == () and simulation.overflows == {}
    (comparison,) = simulation.comparisons.values()
    assert list(simulation.comparisons) == ["profile rint"]
    assert comparison.accuracy_a == 1.0
    assert comparison.accuracy_b == simulation.accuracy
    assert 30 < comparison.outputs[0].sqnr_db < 100


def test_exact_arithmetic_alone(deployed: Path, samples: np.ndarray):
    simulation = simulate_source(deployed, profile="rint", data=samples)
    assert simulation.comparisons == {}
    assert simulation.accuracy is None


def test_against_another_model_whose_input_is_called_otherwise(deployed: Path, samples: np.ndarray, tmp_path: Path):
    weight = WEIGHT.astype(np.float32) / np.float32(100)
    text = "g (float[N,20] image, float[20,4] w) => (float[N,4] scores) { scores = MatMul(image, w) }"
    model_files.save(testing.model(text, w=weight), tmp_path / "float.onnx")
    simulation = simulate_source(deployed, profile="tf", data=samples, against=str(tmp_path / "float.onnx"))
    assert list(simulation.comparisons) == ["profile rint", str(tmp_path / "float.onnx")]
    (output,) = simulation.comparisons[str(tmp_path / "float.onnx")].outputs
    assert output.name == "scores"
    assert 25 < output.sqnr_db < 60


def test_outputs_and_probes_of_all_batches_in_a_file(deployed: Path, samples: np.ndarray, tmp_path: Path):
    out = tmp_path / "tensors.npz"
    simulation = simulate_source(deployed, profile="rint", data=samples, probes=["q", "c"], out=out)
    assert simulation.outputs == str(out)
    with np.load(out) as found:
        arrays = dict(found)
    assert {name: (array.dtype.name, array.shape) for name, array in arrays.items()} == {
        "y": ("float32", (8, 4)),
        "q": ("int8", (8, 20)),
        "c": ("int32", (8, 4)),
    }
    sums = (arrays["q"].astype(np.int64) - 3) @ WEIGHT.astype(np.int64)
    np.testing.assert_array_equal(arrays["c"], sums)
    first = out.read_bytes()
    simulate_source(deployed, profile="rint", data=samples, probes=["q", "c"], out=out)
    assert out.read_bytes() == first


def test_layers_that_are_rolled_back_are_named(tmp_path: Path):
    model = one_layer("Conv", (1, 3, 4, 4), weight=integers(2, 3, 1, 1), deq_scale=1e-3)
    deploy_files.save(model, tmp_path / "net.onnx")
    images = np.ones((2, 3, 4, 4), np.float32)
    assert simulate_source(tmp_path / "net.onnx", data=images).rolled_back == ("c",)
    assert simulate_source(tmp_path / "net.onnx", data=images, profile="tf").rolled_back == ()


def test_overflows_are_told(tmp_path: Path):
    model = one_layer("Gemm", (1, 1), weight=np.ones((1, 1)), bias=np.array([2**31 - 1]))
    deploy_files.save(model, tmp_path / "net.onnx")
    simulation = simulate_source(tmp_path / "net.onnx", data=np.ones((3, 1), np.float32), profile="rint")
    assert simulation.overflows == {"c": 3}


def test_without_samples(deployed: Path):
    with pytest.raises(InvalidData, match="a simulation needs samples; give --data PATH, or --random-data"):
        simulate_source(deployed)


def test_labels_that_are_too_few(deployed: Path, samples: np.ndarray):
    with pytest.raises(InvalidData, match="there are 3 labels for 8 samples"):
        simulate_source(deployed, data=samples, labels=[0, 1, 2])


def test_what_cannot_be_written_is_refused_first(deployed: Path, tmp_path: Path):
    with pytest.raises(InvalidOption, match=r"--probe names what goes into a file; give --out FILE\.npz"):
        simulate_source(deployed, random_data=True, probes=["q"])
    with pytest.raises(InvalidOption, match=r"--out is a \.npz file, not 'tensors.txt'"):
        simulate_source(deployed, random_data=True, out=tmp_path / "tensors.txt")
