"""What Ascend cannot say is refused, with the node and the way out."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from calibrated import numbers
from onnxpress.errors import InvalidModel, InvalidOption, UnsupportedModel
from onnxpress.testing import model
from onnxpress_backends.ascend.deploying import deployed
from quantized_graphs import quantized_graph, whole

CONV = "d = PAIR(x) v = DequantizeLinear(w, sw, zw) y = Conv(d, v)"
W = whole(5, 4, 3, 3)


def refused(body: str, error: type[Exception] = UnsupportedModel, **given: Any) -> str:
    with pytest.raises(error) as caught:
        deployed(quantized_graph(body, **given))
    return str(caught.value)


def test_an_open_batch_names_the_option_that_closes_it() -> None:
    assert refused(CONV, w=W, x="float[N,4,6,6] x") == (
        "input 'x' has the dynamic shape [N,4,6,6], but Ascend's quantised models are static; fix its batch with "
        "--batch N"
    )


def test_another_open_size_is_to_be_closed_by_the_exporter() -> None:
    assert refused(CONV, w=W, x="float[2,4,H,6] x") == (
        "input 'x' has the dynamic shape [2,4,H,6], but Ascend's quantised models are static; fix it where the model "
        "is "
        "exported"
    )


def test_the_batch_is_closed() -> None:
    made = deployed(quantized_graph(CONV, w=W, x="float[N,4,6,6] x", y="float[N,5,4,4] y"), batch=3)
    assert [list(value.shape or ()) for value in (*made.graph.inputs, *made.graph.outputs)] == [
        [3, 4, 6, 6],
        [3, 5, 4, 4],
    ]


def test_a_batch_that_contradicts_the_model() -> None:
    with pytest.raises(InvalidOption, match="input 'x' takes 2 samples, not 3; leave out the batch"):
        deployed(quantized_graph(CONV, w=W), batch=3)


def test_an_opset_beyond_atc() -> None:
    assert refused(CONV, w=W, opset=23) == (
        "the model is at opset 23, but ATC reads none above 22; export it at opset 22 or below"
    )


def test_a_float_model() -> None:
    assert refused("y = Neg(x)") == (
        "the model has no DequantizeLinear, so there is nothing to deploy in integers; recipe int8 with target "
        "ascend quantises it, or, without --out, tells why each layer stays float"
    )


@pytest.mark.parametrize("dtype", ["int16", "uint16"])
def test_activations_of_16_bits(dtype: str) -> None:
    assert refused("d = PAIR(x) y = Neg(d)", zx=np.array(0, dtype), opset=21) == (
        f"DequantizeLinear 'd' is of {dtype}, but Ascend's quantised models hold 8 bits; use int8"
    )


def test_weights_of_4_bits() -> None:
    made = quantized_graph(CONV, w=W, opset=21)
    for name in ("w", "zw"):
        value = made.graph.initializers[name]
        numbers = np.zeros(list(value.shape or ()), "int8")
        value.const_value = ir.tensor(numbers.astype(ir.DataType.INT4.numpy()), name=name)
        value.dtype = ir.DataType.INT4
    with pytest.raises(
        UnsupportedModel, match="DequantizeLinear 'v' is of int4, but Ascend's quantised models hold 8 bits"
    ):
        deployed(made)


def test_an_activation_with_a_scale_for_each_channel() -> None:
    body = "q = QuantizeLinear<axis = 1>(x, s, z) d = DequantizeLinear<axis = 1>(q, s, z) y = Neg(d)"
    assert refused(body, s=np.full(4, 0.1, "f4"), z=np.zeros(4, "i1")) == (
        "DequantizeLinear 'd' has a scale for each channel of an activation, but Ascend has one for the tensor; "
        "quantise "
        "activations per tensor"
    )


def test_an_asymmetric_weight() -> None:
    assert refused(CONV, w=W, zw=np.int8(3)) == (
        "Conv 'y' has an asymmetric weight (DequantizeLinear 'v' has zero point 3); Ascend multiplies with symmetric "
        "ones, "
        "quantise it with zero point 0"
    )


def test_an_unsigned_weight_off_the_middle() -> None:
    assert "has zero point 127" in refused(CONV, w=whole(5, 4, 3, 3, dtype="uint8"), zw=np.uint8(127))


def test_scales_of_a_weight_along_its_input_channels() -> None:
    body = CONV.replace("DequantizeLinear(w", "DequantizeLinear<axis = 1>(w")
    scales = {"sw": np.array([1, 2, 3, 4], "f4"), "zw": np.zeros(4, "i1")}
    assert refused(body, w=W, **scales) == (
        "Conv 'y' has a weight whose scales do not go along its output channels, and Ascend has no others; quantise it "
        "along them, or with one scale"
    )


@pytest.mark.parametrize("scale", [0.0, -1.0, np.nan, np.inf])
def test_a_scale_that_is_none(scale: float) -> None:
    assert refused(CONV, InvalidModel, w=W, sx=np.float32(scale)) == (
        "DequantizeLinear 'd' has a scale that is not positive and finite"
    )


def test_a_scale_that_is_computed() -> None:
    body = "s = Abs(t) q = QuantizeLinear(x, s, zx) d = DequantizeLinear(q, s, zx) y = Neg(d)"
    assert refused(body, x="float[2] x, float t") == (
        "DequantizeLinear 'd' computes its scale or zero point as it runs, but Ascend's are constants; fold what is "
        "constant first (recipe convert does)"
    )


def test_a_scale_for_every_block() -> None:
    body = CONV.replace("DequantizeLinear(w", "DequantizeLinear<axis = 1, block_size = 2>(w")
    scales = {"sw": np.ones((5, 2, 3, 3), "f4"), "zw": np.zeros((5, 2, 3, 3), "i1")}
    assert refused(body, w=W, opset=21, **scales) == (
        "DequantizeLinear 'v' has a scale for every block; Ascend has one for a tensor or channel"
    )


def test_floats_of_16_bits() -> None:
    assert refused("d = PAIR(x) y = Neg(d)", x="float16[2] x", sx=np.float16(0.5), opset=19) == (
        "DequantizeLinear 'd' is of float16; give Ascend a model of float32"
    )


def test_a_pair_that_is_none() -> None:
    assert refused("q = QuantizeLinear(x, sx, zx) d = DequantizeLinear(q, sw, zx) y = Neg(d)") == (
        "QuantizeLinear 'q' and DequantizeLinear 'd' differ in scale, zero point or type, but Ascend knows them as a "
        "pair; "
        "give both the same"
    )


def test_integers_that_float_operators_would_read() -> None:
    body = "q = QuantizeLinear(x, sx, zx) m = Relu(q) y = DequantizeLinear(m, sx, zx)"
    assert refused(body) == (
        "Relu 'm' reads the integers of QuantizeLinear 'q', but on Ascend it computes in floats; put a "
        "DequantizeLinear between them"
    )


def test_integers_that_are_an_output() -> None:
    assert refused("d = PAIR(x) z = Neg(d) y = QuantizeLinear(x, sx, zx)", y="int8[2,4,6,6] y, z") == (
        "QuantizeLinear 'y' makes output 'y' of integers, but Ascend's quantised models give floats; put a "
        "DequantizeLinear behind it"
    )


def test_integers_that_are_an_input() -> None:
    assert refused("y = DequantizeLinear(x, sx, zx)", x="int8[2] x") == (
        "DequantizeLinear 'y' reads integers that no QuantizeLinear made; Ascend's quantised models take and give "
        "floats, "
        "so quantise inside the model"
    )


def test_operators_with_integers_of_their_own() -> None:
    body = "q = QuantizeLinear(x, sx, zx) c = QLinearConv(q, sx, zx, w, sw, zw, sx, zx) y = DequantizeLinear(c, sx, zx)"
    assert refused(body, w=W) == (
        "QLinearConv 'c' computes in integers in a way that Ascend does not know; give it QuantizeLinear and "
        "DequantizeLinear around float operators"
    )


def test_recurrent_layers_in_integers() -> None:
    body = (
        "d = PAIR(x) v = DequantizeLinear(w, sw, zw) u = DequantizeLinear(r, sw, zw) "
        "y, h, c = LSTM<hidden_size = 3>(d, v, u)"
    )
    assert refused(body, x="float[5,2,4] x", w=whole(1, 12, 4), r=whole(1, 12, 3)) == (
        "LSTM 'y' has weights in integers, and recurrent layers in integers are not written; leave it float"
    )


def test_functions_are_inlined() -> None:
    made = model(
        """<ir_version: 10, opset_import: ["" : 17, "f" : 1]>
        g (float[2,3] x) => (float[2,3] y)
        <float s = {0.5}, int8 z = {0}> { d = f.pair(x, s, z) y = Neg(d) }
        <domain: "f", opset_import: ["" : 17]>
        pair (a, s, z) => (b) { q = QuantizeLinear(a, s, z) b = DequantizeLinear(q, s, z) }"""
    )
    deploy = deployed(made)
    assert [node.op_type for node in deploy.graph] == ["AscendQuant", "AscendAntiQuant", "Neg"] and not deploy.functions
    assert numbers(1).size
