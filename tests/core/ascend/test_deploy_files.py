from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from corruption import CORRUPTIONS
from deploy_models import convolution, deploy, every_operator, integers, words
from graph_mutations import mutated
from onnxpress import model_files
from onnxpress.ascend import deploy_files
from onnxpress.errors import InvalidModel, OnnxpressError
from onnxpress.testing import model as parse


def wide() -> ir.Model:
    """A layer with a weight that is worth a file of its own."""
    return deploy(
        """a (float[1,300] x, int8[300,8] w, uint64[1] s) => (float[1,8] y) {
            q = QUANT(x) g = Gemm(q, w) y = DEQUANT(g, s)
        }""",
        w=integers(300, 8),
        s=words(1e-3),
    )


def bytes_of(model: ir.Model) -> bytes:
    return model_files.to_proto(model).SerializeToString(deterministic=True)


def refusal(path: Path) -> str:
    with pytest.raises(InvalidModel) as caught:
        deploy_files.load(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


class TestRoundTrip:
    @pytest.mark.parametrize("external", [False, True], ids=["inline", "external"])
    def test_a_saved_model_is_loaded_again(self, tmp_path: Path, external: bool):
        model = wide()
        written = deploy_files.save(model, tmp_path / "m.onnx", external_data=external)
        assert [path.name for path in written] == ["m.onnx", "m.onnx.data"][: 1 + external]
        assert bytes_of(deploy_files.load(tmp_path / "m.onnx")) == bytes_of(model)

    def test_every_operator(self, tmp_path: Path):
        model = every_operator()
        deploy_files.save(model, tmp_path / "m.onnx")
        assert bytes_of(deploy_files.load(tmp_path / "m.onnx")) == bytes_of(model)

    def test_no_domain_is_added(self, tmp_path: Path):
        deploy_files.save(convolution(), tmp_path / "m.onnx")
        proto = onnx.load(tmp_path / "m.onnx")
        assert [(entry.domain, entry.version) for entry in proto.opset_import] == [("", 17)]
        assert {node.domain for node in proto.graph.node} == {""}

    def test_a_broken_model_is_not_written(self, tmp_path: Path):
        with pytest.raises(InvalidModel, match=r"^m\.onnx is not a valid deploy model: node 'd' \(AscendDequant\)"):
            deploy_files.save(convolution(s=words(1, 2)), tmp_path / "m.onnx")
        assert not list(tmp_path.iterdir())

    def test_deploy_models_are_told_from_others(self):
        assert deploy_files.is_deploy(convolution())
        assert not deploy_files.is_deploy(parse("a (float[2] x) => (float[2] y) { y = Relu(x) }"))


class TestDamage:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return deploy_files.save(convolution(), tmp_path / "m.onnx")[0]

    def test_a_missing_file(self, tmp_path: Path):
        assert refusal(tmp_path / "none.onnx") == f"{tmp_path / 'none.onnx'} does not exist"

    def test_a_truncated_file(self, path: Path):
        os.truncate(path, path.stat().st_size // 2)
        assert refusal(path) == f"{path} is not an ONNX file, or is truncated or corrupt"

    def test_a_float_model(self, tmp_path: Path):
        model_files.save(parse("a (float[2] x) => (float[2] y) { y = Relu(x) }"), tmp_path / "m.onnx")
        assert refusal(tmp_path / "m.onnx") == (
            f"{tmp_path / 'm.onnx'} is no deploy model: "
            "none of its nodes is AscendQuant, AscendDequant, AscendAntiQuant, AscendWeightQuant"
        )

    def test_the_rest_of_the_model_is_asked_about_too(self, path: Path):
        proto = onnx.load(path)
        proto.graph.node[-1].op_type = "Rexu"
        path.write_bytes(proto.SerializeToString())
        assert refusal(path).startswith(f"{path} is not a valid ONNX model: No Op registered for Rexu")

    def test_a_weight_with_too_few_bytes(self, path: Path):
        proto = onnx.load(path)
        weight = next(tensor for tensor in proto.graph.initializer if tensor.name == "w")
        weight.raw_data = weight.raw_data[:50]
        path.write_bytes(proto.SerializeToString())
        assert refusal(path).startswith(f"{path} is not a valid ONNX model: ")

    def test_a_scale_that_is_no_number(self, tmp_path: Path):
        model = convolution(s=words(np.nan, 1, 1, 1))
        model_files.save(model, tmp_path / "m.onnx")
        assert refusal(tmp_path / "m.onnx") == (
            f"{tmp_path / 'm.onnx'} is not a valid deploy model: "
            "node 'd' (AscendDequant): deq_scale holds nan, not a normal positive float32"
        )

    @pytest.mark.parametrize("seed", range(10))
    def test_damage_is_refused_or_harmless(self, path: Path, seed: int):
        sound, generator = path.read_bytes(), np.random.default_rng(seed)
        for _ in range(20):
            path.write_bytes(CORRUPTIONS[int(generator.integers(len(CORRUPTIONS)))](sound, generator))
            try:
                deploy_files.save(deploy_files.load(path), path.with_name("again.onnx"))
            except OnnxpressError as error:
                assert "\n" not in str(error)

    def test_mutated_graphs_are_refused_or_sound(self, path: Path):
        proto, outcomes = onnx.load(path), set()
        for seed in range(240):
            path.write_bytes(mutated(proto, seed).SerializeToString())
            try:
                deploy_files.save(deploy_files.load(path), path.with_name("again.onnx"))
                outcomes.add("sound")
            except OnnxpressError as error:
                assert "\n" not in str(error)
                outcomes.add("refused")
        assert outcomes == {"sound", "refused"}


class TestExternalData:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return deploy_files.save(wide(), tmp_path / "model" / "m.onnx", external_data=True)[0]

    def test_it_stays_on_disk(self, path: Path):
        assert isinstance(deploy_files.load(path).graph.initializers["w"].const_value, ir.ExternalTensor)

    @pytest.mark.parametrize("location", ["../secret", "/etc/passwd", ""])
    def test_outside_the_folder_is_refused(self, path: Path, location: str):
        (path.parent.parent / "secret").write_bytes(bytes(5000))
        proto = onnx.load(path, load_external_data=False)
        (tensor,) = (item for item in proto.graph.initializer if item.data_location == item.EXTERNAL)
        next(entry for entry in tensor.external_data if entry.key == "location").value = location
        path.write_bytes(proto.SerializeToString())
        assert refusal(path) == (
            f"{path}: weight 'w' refers to {str(Path(location))!r}, outside the model's folder; "
            "external data must lie beside the model"
        )

    def test_a_missing_file_is_named(self, path: Path):
        path.with_name("m.onnx.data").unlink()
        assert refusal(path) == f"{path}: external data file 'm.onnx.data' of weight 'w' is missing"

    def test_a_truncated_file_is_named(self, path: Path):
        os.truncate(path.with_name("m.onnx.data"), 100)
        assert refusal(path) == (
            f"{path}: weight 'w' needs bytes 0..2400 of 'm.onnx.data', which has only 100; the file is truncated"
        )
