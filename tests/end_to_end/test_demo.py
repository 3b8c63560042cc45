"""The main job on the demo's trained classifiers: TensorFlow in, verified int8 ONNX out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import onnxpress
from onnxpress import model_files
from onnxpress.cli import _run
from onnxpress.workflow import Result

DEMO = Path(__file__).parents[2] / "demo"


@pytest.fixture(scope="module", params=["fashion_conv", "fashion_depthwise"])
def network(request: pytest.FixtureRequest) -> Path:
    return DEMO / "models" / str(request.param)


@pytest.fixture(scope="module")
def result(network: Path, tmp_path_factory: pytest.TempPathFactory) -> Result:
    return onnxpress.compress(
        network,
        data=DEMO / "data" / "calibration.npz",
        evaluation=DEMO / "data" / "test.npz",
        labels=DEMO / "data" / "test-labels.npy",
        out=tmp_path_factory.mktemp("demo") / f"{network.name}.onnx",
        bench=True,
    )


def test_it_stays_accurate(result: Result) -> None:
    comparison = result.run.comparison
    assert comparison is not None and comparison.samples == 2000
    assert comparison.accuracy_a is not None and comparison.accuracy_b is not None
    assert comparison.accuracy_a > 0.90
    assert comparison.accuracy_b > comparison.accuracy_a - 0.005
    assert comparison.outputs[0].sqnr_db > 25


def test_it_shrinks(result: Result, network: Path) -> None:
    assert result.run.size_before is not None and result.run.size_after is not None
    assert (
        result.run.size_after < result.run.size_before * {"fashion_conv": 0.27, "fashion_depthwise": 0.45}[network.name]
    )


def test_every_multiplication_runs_in_integers(result: Result) -> None:
    assert result.run.benchmark is not None and result.run.benchmark.kernels_b is not None
    kernels = result.run.benchmark.kernels_b
    assert kernels.macs["integer"] > 0
    assert kernels.macs["float"] == 0
    assert not {"Conv", "FusedConv", "Gemm"} & set(kernels.operators)


def test_no_batch_norm_and_no_affine_pair_remains(result: Result) -> None:
    remaining = {node.op_type for node in result.model.graph}
    assert not remaining & {"BatchNormalization", "Mul", "Sub", "Div", "Sqrt", "Add"}


def test_names_and_the_batch_dimension_are_the_users(result: Result) -> None:
    (image,), (logits,) = result.model.graph.inputs, result.model.graph.outputs
    assert (image.name, logits.name) == ("image", "logits")
    assert str(image.shape) == "[N,28,28,1]" and str(logits.shape) == "[N,10]"


def test_the_written_file_is_the_model(result: Result) -> None:
    written = model_files.load(Path(result.run.files[0]))
    assert model_files.to_proto(written).SerializeToString(deterministic=True) == model_files.to_proto(
        result.model
    ).SerializeToString(deterministic=True)


def test_conversion_alone_agrees_with_tensorflow(
    network: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "float.onnx"
    assert _run(["convert", str(network), "-o", str(out), "--json"]) == 0
    capsys.readouterr()
    pack = np.load(DEMO / "data" / "test.npz")["image"][:64]
    np.savez(tmp_path / "few.npz", image=pack)
    assert _run(["compare", str(network), str(out), "--data", str(tmp_path / "few.npz"), "--json"]) == 0
    (output,) = json.loads(capsys.readouterr().out)["outputs"]
    assert output["max_relative"] < 1e-5
    assert output["top1_agreement"] == 1.0
