"""Frozen graphs: the user's names, layouts in and out, the same bytes twice, refusals that leave nothing behind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

import onnxpress
from frozen_graphs import FrozenGraph
from onnxpress.errors import UnsupportedModel
from onnxpress.runtime import Session
from onnxpress.testing import model
from onnxpress_backends.tensorflow.frozen_graph import TENSORFLOW_PB, emit
from onnxpress_backends.tensorflow.graphs import graph_def

CONV = """
g (float[N,3,8,8] image, float[4,3,3,3] kernel, float[4] bias) => (float[N,4,8,8] features, float[N,4] scores) {
    hidden = Conv<pads=[1,1,1,1]>(image, kernel, bias)
    features = Relu(hidden)
    pooled = GlobalAveragePool(features)
    scores = Flatten(pooled)
}
"""


def network() -> ir.Model:
    generator = np.random.default_rng(0)
    kernel = generator.standard_normal((4, 3, 3, 3), dtype=np.float32)
    return model(CONV, kernel=kernel, bias=generator.standard_normal(4, dtype=np.float32))


def image(*shape: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(1).standard_normal(shape, dtype=np.float32)


def transposes(path: Path) -> int:
    return FrozenGraph(path).ops().count("Transpose")


def test_inputs_and_outputs_keep_their_names_and_order(agree: Callable[..., list[str]]) -> None:
    ops = agree(network(), {"image": image(2, 3, 8, 8)})
    assert ops.count("Transpose") == 2
    assert "Identity" not in ops


def test_images_can_come_and_go_channels_last(tf: Any, tmp_path: Path) -> None:
    path = tmp_path / "net.pb"
    emit(network(), path, nhwc=True)
    x = image(2, 3, 8, 8)
    features, scores = FrozenGraph(path).run({"image": x.transpose(0, 2, 3, 1)}, ["features", "scores"])
    expected = Session(network()).run({"image": x})
    np.testing.assert_allclose(features.transpose(0, 3, 1, 2), expected["features"], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(scores, expected["scores"], rtol=1e-5, atol=1e-6)
    assert transposes(path) == 0


def test_the_placeholders_say_what_is_open(tf: Any, tmp_path: Path) -> None:
    emit(network(), tmp_path / "net.pb")
    graph = FrozenGraph(tmp_path / "net.pb").graph
    assert graph.get_tensor_by_name("image:0").shape.as_list() == [None, 3, 8, 8]
    assert graph.get_tensor_by_name("features:0").shape.as_list() == [None, 4, 8, 8]


def test_the_same_model_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.pb", "b.pb"):
        emit(network(), tmp_path / name)
    assert (tmp_path / "a.pb").read_bytes() == (tmp_path / "b.pb").read_bytes()


def test_the_model_is_not_changed(tmp_path: Path) -> None:
    given = network()
    before = ir.to_onnx_text(given)
    emit(given, tmp_path / "net.pb")
    assert ir.to_onnx_text(given) == before


def test_names_that_tensorflow_does_not_allow(tf: Any, tmp_path: Path) -> None:
    given = model("g (float[2] x) => (float[2] y) { y = Relu(x) }")
    given.graph.inputs[0].name, given.graph.outputs[0].name = "serving::x", "7 scores:0"
    emit(given, tmp_path / "net.pb")
    (result,) = FrozenGraph(tmp_path / "net.pb").run({"serving__x": np.float32([-1, 1])}, ["7_scores"])
    assert result.tolist() == [0, 1]


def test_an_output_that_is_an_input_or_a_constant(tf: Any, tmp_path: Path) -> None:
    text = "g (float[2] x) => (float[2] x, float[2] c, float[2] copy) <float[2] c = {1, 2}> { copy = Identity(x) }"
    emit(ir.from_onnx_text(f'<ir_version: 8, opset_import: ["": 17]> {text}'), tmp_path / "net.pb")
    results = FrozenGraph(tmp_path / "net.pb").run({"x": np.float32([3, 4])}, ["x", "c", "copy"])
    assert [result.tolist() for result in results] == [[3, 4], [1, 2], [3, 4]]


def test_an_unknown_operator_is_named_with_its_shapes_and_nothing_is_written(tmp_path: Path) -> None:
    header = '<ir_version: 8, opset_import: ["": 17, "custom": 1]>'
    unknown = ir.from_onnx_text(f"{header} g (float[2,3] x) => (float[2,3] y) {{ y = custom.Whirl(x) }}")
    unknown.graph[0].name = "whirl"
    (tmp_path / "net.pb").write_bytes(b"as it was")
    with pytest.raises(UnsupportedModel, match=r"node 'whirl' \(custom::Whirl, inputs \[2, 3\]\): .*has no rule"):
        emit(unknown, tmp_path / "net.pb")
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("net.pb", b"as it was")]


def test_more_than_two_gigabytes_are_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graph_def, "LARGEST", 100)
    with pytest.raises(UnsupportedModel, match=r"at most 2 GB.*write a SavedModel"):
        emit(network(), tmp_path / "net.pb")
    assert not list(tmp_path.iterdir())


def test_the_suffix_chooses_the_backend(tf: Any, tmp_path: Path) -> None:
    result = onnxpress.convert(network(), out=tmp_path / "net.pb", nhwc=True)
    assert result.run.files == [str(tmp_path / "net.pb")]
    assert transposes(tmp_path / "net.pb") == 0
    assert TENSORFLOW_PB.suffixes == (".pb",)
