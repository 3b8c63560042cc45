from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import helper

import amct_files
from amct_files import FloatGraph, Record
from onnxpress import model_files
from onnxpress.errors import InvalidModel
from onnxpress.kinds import WARNINGS_KEY
from onnxpress.runtime import Session
from onnxpress.verify import verify
from onnxpress_frontends.onnx_source import load

IMAGE = {"x": np.random.default_rng(0).standard_normal((1, 3, 8, 8)).astype(np.float32)}


def fake(**options: object) -> onnx.ModelProto:
    return amct_files.fake_quant_file(amct_files.network(**options))


def run(model: ir.Model | onnx.ModelProto, feeds: dict[str, np.ndarray] = IMAGE) -> dict[str, np.ndarray]:
    model = model if isinstance(model, ir.Model) else ir.serde.deserialize_model(model)
    verify(model)
    return Session(model, threads=1).run(feeds)


def product(**changed: np.ndarray) -> onnx.ModelProto:
    """Two layers, the first with a scale that is 1, so that its integers are its numbers."""
    arrays = {"w": np.arange(12, dtype=np.float32).reshape(4, 3) - 6, "b": np.array([1, 2, 3], np.float32)} | changed
    text = """product (float[1,4] x, float[4,3] w, float[3] b) => (float[1,3] y, float[1,3] z) {
        [one] m = MatMul(x, w)
        y = Add(m, b)
        [two] z = Gemm(x, w, b)
    }"""
    record = Record(scale_d=1.0, offset_d=-2, scale_w=(1.0,))
    return amct_files.fake_quant_file(
        FloatGraph(text=text, arrays=arrays, records={"one": record, "two": record}, opset=13)
    )


def test_the_network_is_the_one_that_its_deploy_file_holds():
    """Both files of one run of AMCT give one model; only values that AMCT itself calls otherwise are."""
    read, deployed = load(fake()), load(amct_files.deploy_file(amct_files.network()))
    assert [(node.op_type, node.name) for node in read.graph] == [(node.op_type, node.name) for node in deployed.graph]
    assert list(read.graph.initializers) == list(deployed.graph.initializers)
    for name, value in read.graph.initializers.items():
        other = deployed.graph.initializers[name].const_value
        assert value.const_value.dtype == other.dtype
        assert np.array_equal(value.const_value.numpy(), other.numpy())
    assert WARNINGS_KEY not in read.meta


@pytest.mark.parametrize("opset", [11, 13, 16])
def test_it_computes_what_it_computed(opset: int):
    expected = run(fake(opset=opset))
    for name, array in run(load(fake(opset=opset))).items():
        np.testing.assert_allclose(array, expected[name], rtol=1e-5, atol=1e-4)


def test_half_precision():
    image = {"x": IMAGE["x"].astype(np.float16)}
    given = fake(opset=13, half=True)
    model = load(given)
    assert sum(node.op_type == "QuantizeLinear" for node in model.graph) == 5
    for name, array in run(model, image).items():
        assert array.dtype == np.float16
        np.testing.assert_allclose(array, run(given, image)[name], rtol=5e-3, atol=0.05)


def test_names_of_layers_of_their_quants_and_outputs():
    read = load(fake())
    assert [node.name for node in read.graph if node.op_type in ("Conv", "ConvTranspose", "MatMul", "Gemm")] == [
        "conv", "deconv", "linear", "fc"
    ]  # fmt: skip
    assert [value.name for value in read.graph.outputs] == ["y", "z"]


def test_operands_in_the_other_order():
    given = fake()
    for node in given.graph.node:
        if node.op_type in ("Mul", "Add"):
            inputs = list(node.input)[::-1]
            del node.input[:]
            node.input.extend(inputs)
    assert sum(node.op_type == "QuantizeLinear" for node in load(given).graph) == 5


def test_a_return_without_a_layer():
    text = "pair (float[1,4] x) => (float[1,4] y) { m = Relu(x) y = Relu(m) }"
    given = FloatGraph(text=text, arrays={}, records={}).proto()
    quant = helper.make_node("AscendQuant", ["m"], ["q"], "r.quant", scale=50.0, offset=-3.0, dst_type="INT8")
    nodes = amct_files._fake_quant(quant, half=False)
    scale = helper.make_tensor("", onnx.TensorProto.FLOAT, [], [0.02])
    prefix = "r.anti.fake_antiquant"
    nodes.append(helper.make_node("Constant", [], [f"{prefix}.scale.output0"], value=scale))
    nodes.append(helper.make_node("Mul", ["q", f"{prefix}.scale.output0"], [f"{prefix}.mul.output0"], f"{prefix}.mul"))
    given.graph.node[1].input[0] = f"{prefix}.mul.output0"
    end = given.graph.node.pop()
    given.graph.node.extend([*nodes, end])
    onnx.checker.check_model(given)
    model = load(given)
    assert [node.op_type for node in model.graph] == ["Relu", "QuantizeLinear", "DequantizeLinear", "Relu"]
    data = {"x": np.array([[0.1, 2.7, -1, 0.05]], np.float32)}
    assert np.array_equal(run(model, data)["y"], run(given, data)["y"])


def test_a_weight_that_layers_share():
    model = load(product())
    dequantised = {node.inputs[1].name for node in model.graph if node.op_type in ("MatMul", "Gemm")}
    assert len(dequantised) == 1
    assert [name for name in model.graph.initializers if name.startswith("w_q")] == ["w_quantized"]


def test_a_weight_that_a_float_operator_uses_too():
    given = product()
    given.graph.node.append(helper.make_node("Add", ["w", "w"], ["twice"], "float_user"))
    given.graph.output.append(helper.make_tensor_value_info("twice", onnx.TensorProto.FLOAT, [4, 3]))
    model = load(given)
    assert sum(node.op_type == "QuantizeLinear" for node in model.graph) == 2
    data = {"x": np.array([[1, 2, -3, 4]], np.float32)}
    assert all(np.array_equal(array, run(given, data)[name]) for name, array in run(model, data).items())


def _constant(given: onnx.ModelProto, name: str, number: float) -> None:
    """Change the Constant called `name`."""
    node = next(node for node in given.graph.node if node.name == name)
    node.attribute[0].t.CopyFrom(helper.make_tensor("", onnx.TensorProto.FLOAT, [], [number]))


def _output_of_the_integers(given: onnx.ModelProto) -> None:
    given.graph.output.append(helper.make_tensor_value_info("one.quant.output0", onnx.TensorProto.FLOAT, [1, 4]))


def _weight(number: float) -> Callable[[onnx.ModelProto], None]:
    def change(given: onnx.ModelProto) -> None:
        amct_files._change(given.graph, "w", lambda array: np.full_like(array, number))

    return change


def _other_end(given: onnx.ModelProto) -> None:
    node = next(node for node in given.graph.node if node.name == "one.fakedequant.mul")
    node.op_type = "Div"


def _second_user(given: onnx.ModelProto) -> None:
    given.graph.node.append(helper.make_node("Relu", ["m"], ["extra"], "extra"))
    given.graph.output.append(helper.make_tensor_value_info("extra", onnx.TensorProto.FLOAT, [1, 3]))


def _second_reader(given: onnx.ModelProto) -> None:
    given.graph.node.append(helper.make_node("Relu", ["one.quant.output0"], ["extra"], "extra"))
    given.graph.output.append(helper.make_tensor_value_info("extra", onnx.TensorProto.FLOAT, [1, 4]))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_output_of_the_integers, "they are an output of the graph"),
        (_weight(0.5), "'w' of node 'one' (MatMul) does not hold integers of 8 bits"),
        (_weight(200), "'w' of node 'one' (MatMul) does not hold integers of 8 bits"),
        (_weight(np.nan), "'w' of node 'one' (MatMul) does not hold integers of 8 bits"),
        (_other_end, "node 'one.fakedequant.mul' (Div) is no product with one scale for each channel"),
        (_second_user, "node 'one' (MatMul) has more than one user"),
        (_second_reader, "node 'extra' (Relu) does not take integers"),
    ],
)
def test_what_is_not_understood_stays_and_is_reported(change: Callable[[onnx.ModelProto], None], reason: str):
    change(given := product())
    model = load(given)
    assert model.meta[WARNINGS_KEY][0] == (
        f"the integers of 'one.quant.fakequant.sub' are left as floats compute them: {reason}"
    )
    assert "Round" in [node.op_type for node in model.graph]
    data = {"x": np.array([[1, 2, -3, 4]], np.float32)}
    expected = run(given, data)
    assert all(np.array_equal(array, expected[name], equal_nan=True) for name, array in run(model, data).items())


def test_a_scale_that_is_no_number():
    _constant(given := product(), "one.quant.fakequant.scale", np.nan)
    with pytest.raises(InvalidModel) as caught:
        load(given)
    assert str(caught.value) == (
        "the model is not a valid deploy model: "
        "node 'one.quant' (AscendQuant): attribute 'scale' is nan; it must be FLOAT in [1.17549e-38, 8388608]"
    )


@pytest.mark.parametrize(
    ("name", "number"),
    [("min_val", -127), ("max_val", 255), ("offset", np.nan)],
)
def test_other_chains_are_no_concern_of_ascend(name: str, number: float):
    given = product()
    for layer in ("one", "two"):
        _constant(given, f"{layer}.quant.fakequant.{name}", number)
    model = load(given)
    assert [node.op_type for node in model.graph] == [node.op_type for node in given.graph.node]
    assert WARNINGS_KEY not in model.meta


def test_the_model_of_the_caller_stays_as_it_is():
    given = ir.serde.deserialize_model(fake())
    before = model_files.to_proto(given).SerializeToString(deterministic=True)
    load(given)
    assert model_files.to_proto(given).SerializeToString(deterministic=True) == before


@pytest.mark.parametrize(
    ("op", "data", "weight", "output", "attributes", "scales"),
    [
        ("Conv", (1, 3, 9), (4, 3, 3), (1, 4, 7), "", 4),
        ("Conv", (1, 2, 4, 4, 4), (3, 2, 2, 2, 2), (1, 3, 3, 3, 3), "", 3),
        ("Conv", (1, 4, 5, 5), (4, 1, 3, 3), (1, 4, 3, 3), "group = 4", 4),
        ("Conv", (1, 4, 5, 5), (6, 2, 1, 1), (1, 6, 5, 5), "group = 2", 1),
        ("ConvTranspose", (1, 3, 4, 4), (3, 5, 2, 2), (1, 5, 5, 5), "", 5),
        ("ConvTranspose", (1, 4, 6), (4, 2, 3), (1, 4, 8), "group = 2", 4),
        ("ConvTranspose", (1, 4, 6), (4, 2, 3), (1, 4, 8), "group = 2", 1),
        ("MatMul", (2, 5, 4), (4, 3), (2, 5, 3), "", 1),
        ("Gemm", (5, 4), (4, 3), (5, 3), "", 3),
        ("Gemm", (5, 4), (3, 4), (5, 3), "transB = 1", 3),
    ],
)
def test_geometries(
    op: str,
    data: tuple[int, ...],
    weight: tuple[int, ...],
    output: tuple[int, ...],
    attributes: str,
    scales: int,
):
    """Ranks, groups and axes; data are whole steps, so that nothing depends on which way a tie is rounded."""
    rng = np.random.default_rng(1)
    record = Record(scale_d=0.25, offset_d=7, scale_w=tuple(float(0.01 * 1.1**index) for index in range(scales)))
    sizes = [",".join(map(str, shape)) for shape in (data, weight, output)]
    given = FloatGraph(
        text="g (float[{}] x, float[{}] w) => (float[{}] y) {{ [layer] y = {}<{}>(x, w) }}".format(
            *sizes, op, attributes
        ).replace("<>", ""),
        arrays={"w": rng.standard_normal(weight).astype(np.float32)},
        records={"layer": record},
        opset=13,
    )
    image = {"x": (rng.integers(-100, 100, data) * 0.25).astype(np.float32)}
    fake_quant, deployed = amct_files.fake_quant_file(given), amct_files.deploy_file(given)
    expected = run(fake_quant, image)["y"]
    for read in (load(fake_quant), load(deployed)):
        assert sum(node.op_type == "QuantizeLinear" for node in read.graph) == 1
        np.testing.assert_allclose(run(read, image)["y"], expected, rtol=1e-5, atol=1e-5)
