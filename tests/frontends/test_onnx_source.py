from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest

import onnxpress
from onnxpress import model_files
from onnxpress.errors import InvalidModel, UnsupportedModel
from onnxpress.testing import assert_equivalent
from onnxpress.testing import model as parse
from onnxpress_frontends.onnx_source import ONNX, accepts, load


@pytest.fixture
def model() -> ir.Model:
    return parse(
        "agraph (float[N, 3] x, float[3, 2] w) => (float[N, 2] y) { y = MatMul(x, w) }",
        w=np.arange(6, dtype=np.float32).reshape(3, 2),
    )


def same(loaded: ir.Model, model: ir.Model) -> None:
    assert_equivalent(model, loaded, {"x": np.ones((2, 3), np.float32)}, rtol=0, atol=0)


@pytest.mark.parametrize("name", ["model.onnx", "MODEL.ONNX", "model"])
def test_a_file_is_known_by_its_suffix_or_its_first_bytes(model: ir.Model, tmp_path: Path, name: str) -> None:
    model_files.save(model, tmp_path / name)
    assert accepts(tmp_path / name)
    same(load(tmp_path / name), model)


def test_weights_beside_the_file_stay_there(tmp_path: Path) -> None:
    big = parse(
        "agraph (float[N, 64] x, float[64, 64] w) => (float[N, 64] y) { y = MatMul(x, w) }",
        w=np.ones((64, 64), np.float32),
    )
    model_files.save(big, tmp_path / "big.onnx", external_data=True)
    assert isinstance(load(tmp_path / "big.onnx").graph.initializers["w"].const_value, ir.ExternalTensor)


def test_a_model_in_memory_is_copied(model: ir.Model) -> None:
    assert accepts(model)
    loaded = load(model)
    loaded.graph[0].name = "changed"
    assert model.graph[0].name != "changed"
    same(loaded, model)


def test_a_protobuf(model: ir.Model) -> None:
    proto = model_files.to_proto(model)
    assert accepts(proto)
    same(load(proto), model)


def test_an_input_with_an_initialiser_becomes_a_weight(model: ir.Model, tmp_path: Path) -> None:
    model.graph.inputs.append(model.graph.initializers["w"])
    model.ir_version = 3
    model_files.save(model, tmp_path / "torch.onnx")
    for source in (tmp_path / "torch.onnx", model_files.to_proto(model), model):
        loaded = load(source)
        assert [value.name for value in loaded.graph.inputs] == ["x"]
        same(loaded, model)
        data = {"x": np.ones((8, 3), np.float32)}
        compressed = onnxpress.compress(source, data=data).model
        assert [value.name for value in compressed.graph.inputs] == ["x"]
        assert "QuantizeLinear" in [node.op_type for node in compressed.graph]
    assert [value.name for value in model.graph.inputs] == ["x", "w"]


def test_nodes_without_a_name_get_one_that_lasts() -> None:
    nameless = parse(
        "agraph (float[N, 3] x) => (float[N, 3] y) { a = Relu(x) i = Identity(a) b = Sigmoid(i) y = Relu(b) }"
    )
    for node in nameless.graph:
        node.name = None
    named = {node.outputs[0].name: node.name for node in load(nameless).graph}
    assert all(named.values()) and len(set(named.values())) == 4
    converted = onnxpress.convert(nameless).model
    assert [node.name for node in converted.graph] == [named["a"], named["b"], named["y"]]


def test_other_things_are_not_accepted(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("no model")
    assert not any(
        accepts(item) for item in (tmp_path, tmp_path / "notes", tmp_path / "none", tmp_path / "a.pb", 3, "x")
    )


def test_an_old_opset_is_refused_and_eleven_is_not(model: ir.Model) -> None:
    model.opset_imports[""] = 10
    with pytest.raises(UnsupportedModel, match="the model uses opset 10, older than 11; raise it first with onnx"):
        load(model)
    model.opset_imports[""] = 11
    load(model)


def test_a_corrupt_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.onnx").write_bytes(b"\x08\x08garbage")
    with pytest.raises(InvalidModel, match=r"bad\.onnx is not an ONNX file, or is truncated or corrupt"):
        ONNX.load(tmp_path / "bad.onnx")


def test_an_invalid_protobuf_is_refused() -> None:
    proto = model_files.to_proto(parse("agraph (float[2] x) => (float[2] y) { y = Relu(x) }"))
    proto.graph.node[0].op_type = "Rexu"
    with pytest.raises(InvalidModel, match=r"the onnx\.ModelProto is not a valid model: No Op registered for Rexu"):
        load(proto)
