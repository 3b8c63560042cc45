from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from onnxpress.errors import InvalidOption, UnsupportedModel
from onnxpress.runtime import Session
from onnxpress.testing import model as parse
from saved_models import Written, weights
from tflite_files import ends, operators, run

TOLERANCES = {"float": 1e-5, "float16": 2e-3, "dynamic": 5e-2}


def off(actual: Any, expected: Any) -> float:
    """Largest difference, by the largest magnitude."""
    return float(np.abs(actual - expected).max() / np.abs(expected).max())


@pytest.mark.parametrize("precision", TOLERANCES)
def test_it_gives_what_onnxruntime_gives(network: ir.Model, images: Any, written: Written, precision: str) -> None:
    path = written(network, precision=precision)
    expected = Session(network).run({"image": images})["scores"]
    assert off(run(path, image=images)["scores"], expected) < TOLERANCES[precision]


def test_weights_of_fewer_bits_make_it_smaller(network: ir.Model, written: Written) -> None:
    grown = network.clone()
    grown.graph.initializers["dense"].const_value = ir.tensor(weights(w=(64, 400))["w"], name="dense")
    grown.graph.initializers["addend"].const_value = ir.tensor(weights(w=(400,))["w"], name="addend")
    grown.graph.outputs[0].shape = ir.Shape(["N", 400])
    for name, dims in (("dense", [64, 400]), ("addend", [400])):
        grown.graph.initializers[name].shape = ir.Shape(dims)
    for node in grown.graph:
        for output in node.outputs:
            if not output.is_graph_output():
                output.shape = None
    sizes = {name: written(grown, name, precision=name).stat().st_size for name in TOLERANCES}
    assert sizes["float16"] < 0.6 * sizes["float"]
    assert sizes["dynamic"] < 0.4 * sizes["float"]


def test_integers_throughout_with_the_scales_of_the_model(quantized: ir.Model, images: Any, written: Written) -> None:
    path = written(quantized)
    found = operators(path)
    assert found.pop(("QUANTIZE", "int8")) == found.pop(("DEQUANTIZE", "float32")) == 1
    assert {dtype for _, dtype in found} == {"int8"}
    assert found["CONV_2D", "int8"] == 3
    assert found["DEPTHWISE_CONV_2D", "int8"] == 1
    expected = Session(quantized).run({"image": images})["scores"]
    assert off(run(path, image=images)["scores"], expected) < 0.02


def test_inputs_and_outputs_are_integers_on_request(quantized: ir.Model, images: Any, written: Written) -> None:
    path = written(quantized, integer_io=True)
    assert ends(path) == {"image": ("int8", [-1, 3, 8, 8]), "scores": ("int8", [-1, 4])}
    assert {dtype for _, dtype in operators(path)} == {"int8"}
    expected = Session(quantized).run({"image": images})["scores"]
    assert off(run(path, image=images)["scores"], expected) < 0.02


def test_a_model_with_scales_can_be_written_in_float(
    network: ir.Model, quantized: ir.Model, images: Any, written: Written
) -> None:
    path = written(quantized, precision="float")
    assert {dtype for _, dtype in operators(path)} == {"float32"}
    assert off(run(path, image=images)["scores"], Session(network).run({"image": images})["scores"]) < 0.05


def test_zeros_are_left_out(network: ir.Model, images: Any, written: Written) -> None:
    point = network.graph.initializers["point"]
    array = np.random.default_rng(0).standard_normal((512, 16, 1, 1)).astype(np.float32)
    array[np.abs(array) < np.quantile(np.abs(array), 0.8)] = 0
    point.const_value = ir.tensor(array[:64], name="point")
    dense, sparse = written(network, "dense"), written(network, "sparse", sparse=True)
    np.testing.assert_array_equal(run(sparse, image=images)["scores"], run(dense, image=images)["scores"])
    assert sparse.stat().st_size < dense.stat().st_size - 1500
    assert operators(sparse)["DENSIFY", "float32"] == 1


def test_images_keep_their_order_unless_asked(network: ir.Model, images: Any, written: Written) -> None:
    last = written(network, "last", nhwc=True)
    assert ends(written(network))["image"] == ("float32", [-1, 3, 8, 8])
    assert ends(last)["image"] == ("float32", [-1, 8, 8, 3])
    assert not [op for op, _ in operators(last) if op == "TRANSPOSE"]
    expected = Session(network).run({"image": images})["scores"]
    assert off(run(last, image=images.transpose(0, 2, 3, 1))["scores"], expected) < 1e-5


def test_the_batch_is_open_unless_fixed(network: ir.Model, images: Any, written: Written) -> None:
    fixed = written(network, "fixed", batch=2)
    assert ends(fixed) == {"image": ("float32", [2, 3, 8, 8]), "scores": ("float32", [2, 4])}
    expected = Session(network).run({"image": images[:2]})["scores"]
    assert off(run(fixed, image=images[:2])["scores"], expected) < 1e-5
    assert ends(written(network))["image"] == ("float32", [-1, 3, 8, 8])


def test_names_are_kept(written: Written) -> None:
    model = parse("agraph (float[N,2] x, float[2] w) => (float[N,2] y) { y = Mul(x, w) }", **weights(w=(2,)))
    model.graph.inputs[0].name, model.graph.outputs[0].name = "input.1", "scope/out"
    assert ends(written(model)).keys() == {"input.1", "scope/out"}


def test_written_twice_it_is_the_same_byte_by_byte(quantized: ir.Model, written: Written) -> None:
    assert written(quantized, "first").read_bytes() == written(quantized, "second").read_bytes()


def test_options_that_do_not_fit_are_refused(network: ir.Model, written: Written) -> None:
    with pytest.raises(UnsupportedModel, match=r"takes its scales from QuantizeLinear nodes, .* run recipe int8"):
        written(network, precision="int8")
    with pytest.raises(InvalidOption, match="'integer_io' goes with precision int8, not float"):
        written(network, integer_io=True)
    with pytest.raises(InvalidOption, match="a batch has at least one sample, not 0"):
        written(network, batch=0)
    network.graph.inputs[0].shape = ir.Shape([4, 3, 8, 8])
    with pytest.raises(InvalidOption, match="input 'image' takes 4 samples, not 2"):
        written(network, batch=2)


def test_what_tflite_lacks_is_named(written: Written, tmp_path: Path) -> None:
    model = parse("agraph (float[3,4,4] x) => (float[3] y) { y = Det(x) }")
    model.graph[0].name = "determinant"
    with pytest.raises(UnsupportedModel, match=r"no operator MatrixDeterminant, for node 'determinant' \(Det\)"):
        written(model)
    assert list(tmp_path.iterdir()) == []


def test_more_than_a_file_can_hold_is_refused(network: ir.Model, written: Written) -> None:
    shape = ir.Shape([64, 2**24])
    absent = ir.LazyTensor(lambda: ir.tensor([0.0]), dtype=ir.DataType.FLOAT, shape=shape, name="dense")
    model = parse("agraph (float[N,64] x, float[64,16777216] dense) => (float[N,16777216] y) { y = MatMul(x, dense) }")
    value = model.graph.inputs.pop()
    value.const_value = absent
    model.graph.register_initializer(value)
    with pytest.raises(UnsupportedModel, match=r"takes at most 2 GB, and the weights have 4.0; choose backend 'saved"):
        written(model)


def test_a_clip_between_any_numbers(written: Written) -> None:
    """TFLite has no ClipByValue; HardSigmoid needs one, too."""
    model = parse("""agraph (float[N,5] x) => (float[N,5] y) <float low = {-0.25}, float high = {0.75}> {
        c = Clip(x, low, high) h = HardSigmoid(x) y = Add(c, h) }""")
    images = np.linspace(-6, 6, 20, dtype=np.float32).reshape(4, 5)
    np.testing.assert_allclose(run(written(model), x=images)["y"], Session(model).run({"x": images})["y"], atol=1e-6)
