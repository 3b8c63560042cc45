"""Both files of the backend ``ascend-onnx``: names, places, all or nothing."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import onnxpress
from calibrated import numbers
from onnxpress import model_files
from onnxpress.ascend import deploy_files
from onnxpress.errors import OnnxpressError, UnsupportedModel
from onnxpress.kinds import WARNINGS_KEY
from onnxpress.registry import Registry
from onnxpress.runtime import Session
from onnxpress.workflow import find_backend
from onnxpress_backends.ascend import fake_quantization
from onnxpress_backends.ascend.deploy_writing import emit
from quantized_graphs import quantized_graph, whole

CONV = "d = PAIR(x) v = DequantizeLinear(w, sw, zw) y = Conv(d, v, b)"


def convolution(**changed: Any) -> Any:
    return quantized_graph(CONV, **{"w": whole(5, 4, 16, 16), "b": numbers(5), "x": "float[2,4,20,20] x"} | changed)


@pytest.mark.parametrize("name", ["net.onnx", "net_deploy_model.onnx", "net"])
def test_both_files_are_written(tmp_path: Path, name: str) -> None:
    written = emit(convolution(), tmp_path / name)
    assert [path.name for path in written] == ["net_deploy_model.onnx", "net_fake_quant_model.onnx"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [path.name for path in written]
    assert deploy_files.is_deploy(deploy_files.load(written[0]))
    assert Session(written[1], threads=1).run({"x": numbers(2, 4, 20, 20)})["y"].shape == (2, 5, 5, 5)


def test_the_same_bytes_every_time(tmp_path: Path) -> None:
    first, second = ([path.read_bytes() for path in emit(convolution(), tmp_path / name / "n.onnx")] for name in "ab")
    assert first == second


def test_external_weights(tmp_path: Path) -> None:
    written = emit(convolution(), tmp_path / "net.onnx", external_data=True)
    assert [path.name for path in written] == [
        "net_deploy_model.onnx",
        "net_deploy_model.onnx.data",
        "net_fake_quant_model.onnx",
        "net_fake_quant_model.onnx.data",
    ]
    (inside,) = {path.parent for path in emit(convolution(), tmp_path / "inside" / "net.onnx")}
    feeds = {"x": numbers(2, 4, 20, 20)}
    expected = Session(inside / "net_fake_quant_model.onnx", threads=1).run(feeds)
    np.testing.assert_array_equal(Session(written[2], threads=1).run(feeds)["y"], expected["y"])
    weight = deploy_files.load(written[0]).graph.initializers["w"].const_value
    assert weight is not None
    np.testing.assert_array_equal(weight.numpy(), whole(5, 4, 16, 16))


def test_weights_over_the_limit_go_beside_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The floats of the fake-quant model pass it first."""
    monkeypatch.setattr(model_files, "PROTOBUF_LIMIT", 10_000)
    names = [path.name for path in emit(convolution(), tmp_path / "net.onnx")]
    assert names == ["net_deploy_model.onnx", "net_fake_quant_model.onnx", "net_fake_quant_model.onnx.data"]


def test_one_float_weight_is_in_memory_at_a_time(tmp_path: Path) -> None:
    """Eight layers of a million weights: 8 MB of integers that are there already, 4 MB for each weight in floats."""
    layers = " ".join(
        f"d{i} = PAIR(x{i}) v{i} = DequantizeLinear(w{i}, sw, zw) x{i + 1} = MatMul(d{i}, v{i})" for i in range(8)
    )
    weights = {f"w{i}": whole(1024, 1024, seed=i) for i in range(8)}
    model = quantized_graph(layers, x="float[1,1024] x0", y="x8", **weights)
    emit(model, tmp_path / "first.onnx")
    tracemalloc.start()
    emit(model, tmp_path / "second.onnx")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 9_000_000


def test_neither_file_appears_when_one_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(model: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(fake_quantization, "fake_quantised", fails)
    with pytest.raises(OnnxpressError, match=r"cannot write in .*: No space left on device"):
        emit(convolution(), tmp_path / "net.onnx")
    assert list(tmp_path.iterdir()) == []


def test_the_longest_suffix_decides() -> None:
    registry = Registry()
    assert find_backend("a/net_deploy_model.onnx", registry).name == "ascend-onnx"
    assert find_backend("a/net.onnx", registry).name == "onnx"


def test_warnings_reach_the_user(tmp_path: Path) -> None:
    model = convolution(b=np.float32([1, 2, 1e8, 4, 5]), x="float[N,4,20,20] x")
    result = onnxpress.convert(model, out=tmp_path / "net_deploy_model.onnx", recipe=[], batch=2)
    assert result.run.files == [
        str(tmp_path / "net_deploy_model.onnx"),
        str(tmp_path / "net_fake_quant_model.onnx"),
    ]
    assert result.run.warnings == [
        "Conv 'y': the weight scales of 1 out of 5 channels were raised, to leave room for the bias in 32 bits, or "
        "because "
        "Ascend knows none so small"
    ]


def test_a_refusal_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModel, match="fix its batch with --batch N"):
        emit(convolution(x="float[N,4,20,20] x"), tmp_path / "net.onnx")
    assert list(tmp_path.iterdir()) == []


def test_warnings_are_in_the_metadata(tmp_path: Path) -> None:
    model = convolution()
    emit(model, tmp_path / "net.onnx")
    assert model.meta[WARNINGS_KEY] == []
