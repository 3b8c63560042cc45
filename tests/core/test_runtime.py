from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest

from onnxpress import model_files
from onnxpress.errors import InvalidData, InvalidModel
from onnxpress.kinds import Port
from onnxpress.runtime import Session, expose, ports
from onnxpress.testing import model

CHAIN = "agraph (float[N,4] x) => (float[N,4] y) <float[4] w = {1,-2,3,-4}> { h = Mul(x, w) r = Relu(h) y = Neg(r) }"
X = {"x": np.ones((2, 4), np.float32)}


def refusal(error: type[Exception], function, *arguments, **named) -> str:
    with pytest.raises(error) as caught:
        function(*arguments, **named)
    assert "\n" not in str(caught.value)
    return str(caught.value)


class TestSession:
    def test_ports(self):
        session = Session(
            model(
                "agraph (float[N,3,8,8] image, int64[2] sizes, bool flag, float16 half) => (float[N,3,8,8] y, uint8 z) "
                "{ y = Relu(image) z = Cast<to = 2>(half) }"
            )
        )
        assert session.inputs == (
            Port(name="image", dtype="float32", shape=("N", 3, 8, 8)),
            Port(name="sizes", dtype="int64", shape=(2,)),
            Port(name="flag", dtype="bool", shape=()),
            Port(name="half", dtype="float16", shape=()),
        )
        assert session.outputs == (
            Port(name="y", dtype="float32", shape=("N", 3, 8, 8)),
            Port(name="z", dtype="uint8", shape=()),
        )

    def test_ports_of_a_graph_are_those_of_its_session(self):
        graph = model(CHAIN)
        assert ports(graph.graph.inputs) == Session(graph).inputs
        assert ports(graph.graph.outputs) == Session(graph).outputs

    def test_outputs_by_name(self):
        assert Session(model(CHAIN), threads=1).run(X)["y"].tolist() == [[-1, 0, -3, 0]] * 2

    def test_a_file_runs_as_the_model_does(self, tmp_path: Path):
        model_files.save(model(CHAIN), tmp_path / "m.onnx")
        assert Session(tmp_path / "m.onnx").run(X)["y"].tolist() == [[-1, 0, -3, 0]] * 2

    def test_optimisation_loses_no_output(self):
        graph = model(
            """agraph (float[1,1,2,2] x) => (float[1,1,2,2] c, float[1,1,2,2] y)
            <float one = {1}, int8 zero = {0}, int8[1,1,1,1] w = {2}, int32[1] b = {1}> {
                q = QuantizeLinear(x, one, zero) d = DequantizeLinear(q, one, zero)
                k = DequantizeLinear(w, one, zero) o = DequantizeLinear(b, one)
                c = Conv(d, k, o) e = Conv(d, k, o) y = Add(e, c)
            }"""
        )
        results = Session(graph, optimize=True).run({"x": np.ones((1, 1, 2, 2), np.float32)})
        assert (results["c"] == 3).all() and (results["y"] == 6).all()

    def test_threads_are_passed_on(self):
        assert Session(model(CHAIN), threads=1).raw.get_session_options().intra_op_num_threads == 1

    def test_the_model_is_not_changed(self):
        graph = model(CHAIN)
        before = model_files.to_proto(graph).SerializeToString(deterministic=True)
        Session(graph, optimize=True, outputs=["h"]).run(X)
        assert model_files.to_proto(graph).SerializeToString(deterministic=True) == before

    @pytest.mark.parametrize(("optimize", "ops"), [(False, ["Identity", "Relu"]), (True, ["Relu"])])
    def test_the_graph_that_runs_is_optimised_only_when_asked(self, tmp_path: Path, optimize: bool, ops: list[str]):
        needless = model("agraph (float[N] x) => (float[N] y) { h = Identity(x) y = Relu(h) }")
        Session(needless, optimize=optimize, save_optimized=tmp_path / "run.onnx")
        assert [node.op_type for node in ir.load(tmp_path / "run.onnx").graph] == ops


class TestProbing:
    def test_intermediate_values_in_the_order_asked_for(self):
        results = Session(model(CHAIN), outputs=["r", "h"]).run(X)
        assert list(results) == ["r", "h"]
        assert results["h"].tolist() == [[1, -2, 3, -4]] * 2
        assert results["r"].tolist() == [[1, 0, 3, 0]] * 2

    def test_inputs_and_weights_may_be_probed(self):
        results = Session(model(CHAIN), outputs=["x", "w"]).run(X)
        assert results["x"].tolist() == X["x"].tolist()
        assert results["w"].tolist() == [1, -2, 3, -4]

    def test_probing_a_file(self, tmp_path: Path):
        model_files.save(model(CHAIN), tmp_path / "m.onnx")
        assert list(Session(tmp_path / "m.onnx", outputs=["h"]).run(X)) == ["h"]

    def test_optimisation_keeps_what_is_probed(self):
        assert Session(model(CHAIN), optimize=True, outputs=["h"]).run(X)["h"].tolist() == [[1, -2, 3, -4]] * 2

    def test_an_unknown_value(self):
        assert refusal(InvalidModel, Session, model(CHAIN), outputs=["h", "z"]) == "the model has no value called 'z'"

    def test_exposing_leaves_the_original(self):
        graph = model(CHAIN)
        assert [value.name for value in expose(graph, ["h"]).graph.outputs] == ["h"]
        assert [value.name for value in graph.graph.outputs] == ["y"]


class TestRefusals:
    def test_a_model_that_onnxruntime_cannot_run(self):
        unknown = model(
            '<ir_version: 10, opset_import: ["" : 17, "com.example" : 1]> '
            "agraph (float[N] x) => (float[N] y) { y = com.example.Own(x) }"
        )
        message = refusal(InvalidModel, Session, unknown)
        assert message.startswith("onnxruntime rejects the model: ")
        assert "Own" in message

    def test_a_file_that_is_no_model(self, tmp_path: Path):
        (tmp_path / "m.onnx").write_bytes(b"not a model")
        message = refusal(InvalidModel, Session, tmp_path / "m.onnx")
        assert message.startswith("onnxruntime rejects the model: ")

    def test_a_file_that_is_missing(self, tmp_path: Path):
        message = refusal(InvalidModel, Session, tmp_path / "absent.onnx")
        assert "absent.onnx" in message

    @pytest.mark.parametrize(
        ("feeds", "fragment"),
        [
            ({}, "x"),
            ({"z": X["x"]}, "z"),
            ({"x": X["x"].astype(np.float64)}, "tensor(double)"),
            ({"x": np.ones((2, 5), np.float32)}, "index: 1 Got: 5 Expected: 4"),
            ({"x": np.ones(4, np.float32)}, "rank"),
        ],
        ids=["missing", "unknown", "dtype", "size", "rank"],
    )
    def test_feeds_that_do_not_fit(self, feeds: dict[str, np.ndarray], fragment: str):
        message = refusal(InvalidData, Session(model(CHAIN)).run, feeds)
        assert message.startswith("onnxruntime cannot run the model on these inputs: ")
        assert fragment in message


class TestPadFusion:
    """onnxruntime 1.31 folds zero padding into MaxPool, where padding means minus infinity."""

    def test_zero_padding_before_a_maximum_counts(self):
        padded = model(
            "agraph (float[N,1,4,4] x) => (float[N,1,5,5] y) <int64[8] pads = {0,0,1,1,0,0,1,1}> "
            "{ p = Pad(x, pads) y = MaxPool<kernel_shape = [2,2]>(p) }"
        )
        negative = {"x": np.full((1, 1, 4, 4), -1, np.float32)}
        expected = np.full((1, 1, 5, 5), -1, np.float32)
        expected[..., [0, -1], :] = expected[..., [0, -1]] = 0
        for optimize in (False, True):
            result = Session(padded, optimize=optimize, threads=1).run(negative)["y"]
            np.testing.assert_array_equal(result, expected, err_msg=f"optimize={optimize}")


class TestExternalWeights:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        graph = model(
            "agraph (float[N,4] x, float[4,300] a, float[300,4] b) => (float[N,4] y) "
            "{ h = MatMul(x, a) y = MatMul(h, b) }",
            a=np.ones((4, 300), np.float32),
            b=np.ones((300, 4), np.float32),
        )
        return model_files.save(graph, tmp_path / "m.onnx", external_data=True)[0]

    def test_they_are_read_from_beside_the_model(self, path: Path):
        graph = model_files.load(path)
        assert Session(graph).run(X)["y"].tolist() == [[1200] * 4] * 2

    def test_weights_from_two_folders(self, path: Path, tmp_path: Path):
        (tmp_path / "other").mkdir()
        graph = model_files.load(path)
        other = model_files.save(graph, tmp_path / "other" / "m.onnx", external_data=True)[0]
        graph.graph.initializers["b"].const_value = model_files.load(other).graph.initializers["b"].const_value
        assert Session(graph).run(X)["y"].tolist() == [[1200] * 4] * 2

    def test_a_model_too_large_for_one_message_goes_through_a_file(self, path: Path, monkeypatch):
        graph = ir.serde.deserialize_model(model_files.to_proto(model_files.load(path)))
        monkeypatch.setattr(model_files, "PROTOBUF_LIMIT", 1000)
        assert Session(graph).run(X)["y"].tolist() == [[1200] * 4] * 2
