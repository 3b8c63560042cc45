"""What runs in integers, and what stays float although its data are integers."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from calibrated import numbers
from onnxpress.ascend.checking import check
from onnxpress.ascend.layers import layers
from onnxpress.kinds import WARNINGS_KEY
from onnxpress.runtime import Session
from onnxpress.testing import model as from_text
from onnxpress_backends.ascend.deploying import deployed
from onnxpress_backends.ascend.fake_quantization import fake_quantised
from quantized_graphs import quantized_graph, whole

PAIR = "d = PAIR(x) v = DequantizeLinear(w, sw, zw)"


def deploy(body: str, **given: Any) -> tuple[ir.Model, ir.Model]:
    quantized = quantized_graph(body, **given)
    model = deployed(quantized)
    check(model)
    return quantized, model


@pytest.mark.parametrize(
    "body, shape, weight, reason",
    [
        ("Gemm<alpha = 0.5>(d, v)", "2,4", (4, 3), "its alpha is 0.5, and integers need a FLOAT 1.0"),
        ("Gemm<transA = 1>(d, v)", "4,2", (4, 3), "its transA is 1, and integers need a INT 0"),
        (
            "ConvTranspose<dilations = [2,2]>(d, v)",
            "2,4,6,6",
            (4, 3, 3, 3),
            "its dilations is (2, 2), and integers need a INTS 1",
        ),
        ("MatMul(d, v)", "2,2,4,4", (2, 2, 4, 3), "its weight must have rank 2 or 3"),
    ],
)
def test_an_operator_that_is_told_to_do_more_stays_float(
    body: str, shape: str, weight: tuple[int, ...], reason: str
) -> None:
    """Its numbers are those of the quantised graph: rounded data, rounded weights."""
    quantized, model = deploy(f"{PAIR} y = {body}", x=f"float[{shape}] x", w=whole(*weight))
    op = body[: body.index("<" if "<" in body else "(")]
    assert model.meta[WARNINGS_KEY] == [f"{op} 'y' stays float: {reason}"]
    assert [node.op_type for node in model.graph] == ["AscendQuant", "AscendAntiQuant", op]
    feeds = {"x": numbers(*map(int, shape.split(",")))}
    expected, given = Session(quantized, threads=1).run(feeds), Session(fake_quantised(model), threads=1).run(feeds)
    np.testing.assert_allclose(given["y"], expected["y"], rtol=1e-5, atol=1e-5)


def test_two_computed_factors_stay_float() -> None:
    body = "d = PAIR(x) e = PAIR(t) y = MatMul(d, e)"
    _, model = deploy(body, x="float[2,4] x, float[4,3] t")
    assert [node.op_type for node in model.graph] == [*["AscendQuant", "AscendAntiQuant"] * 2, "MatMul"]


def test_weights_alone_in_integers_become_floats() -> None:
    _, model = deploy(f"{PAIR} a = Conv(x, v) y = Neg(d)", y="a, y", w=whole(5, 4, 3, 3))
    assert model.meta[WARNINGS_KEY] == ["Conv 'a' stays float: its weight is quantised, but its data are not"]
    conv = model.graph.node("a")
    weight = conv.inputs[1]
    assert weight is not None and weight.const_value is not None and weight.name == "v"
    np.testing.assert_array_equal(weight.const_value.numpy(), whole(5, 4, 3, 3).astype("f4") * np.float32(0.02))


def test_float_weights_under_integer_data_stay_float() -> None:
    _, model = deploy("d = PAIR(x) y = Conv(d, w)", w=numbers(5, 4, 3, 3))
    assert [node.op_type for node in model.graph] == ["AscendQuant", "AscendAntiQuant", "Conv"]


def test_a_pair_without_a_layer_is_quant_and_anti_quant() -> None:
    quantized, model = deploy("d = PAIR(x) y = Neg(d)")
    quant, anti_quant, _ = model.graph
    assert [quant.name, anti_quant.name] == ["x.quant", "x.anti_quant"]
    assert {name: a.value for name, a in anti_quant.attributes.items()} == {
        "scale": float(np.float32(0.05)),
        "offset": -7.0,
        "dst_type": "INT8",
    }
    feeds = {"x": numbers(2, 4, 6, 6)}
    assert_same(quantized, fake_quantised(model), feeds)


def assert_same(one: ir.Model, other: ir.Model, feeds: dict[str, Any]) -> None:
    expected, given = Session(one, threads=1).run(feeds), Session(other, threads=1).run(feeds)
    assert list(expected) == list(given)
    for name, numbers_ in expected.items():
        np.testing.assert_array_equal(given[name], numbers_)


def test_layers_and_float_operators_share_one_quant() -> None:
    body = (
        f"{PAIR} q = QuantizeLinear(x, sx, zx) e = DequantizeLinear(q, sx, zx) a = Conv(d, v) b = Conv(e, v) c = Neg(e)"
    )
    _, model = deploy(body, y="a, b, c", w=whole(5, 4, 3, 3))
    assert [node.name for node in model.graph if node.op_type == "AscendQuant"] == ["a.quant"]
    assert [node.name for node in model.graph if node.op_type == "AscendAntiQuant"] == ["a.anti_quant"]
    assert len({layer.quant for layer in layers(model)}) == 1


def test_pairs_with_other_steps_are_quants_of_their_own() -> None:
    body = f"{PAIR} q = QuantizeLinear(x, sw, zw) e = DequantizeLinear(q, sw, zw) a = Conv(d, v) b = Conv(e, v)"
    _, model = deploy(body, y="a, b", w=whole(5, 4, 3, 3))
    assert [node.name for node in model.graph if node.op_type == "AscendQuant"] == ["a.quant", "b.quant"]


def test_outputs_of_the_graph_keep_their_names() -> None:
    body = f"{PAIR} a = Conv(d, v) q = QuantizeLinear(a, sx, zx) y = DequantizeLinear(q, sx, zx) b = Neg(a)"
    _, model = deploy(body, y="y, a, b, d", w=whole(5, 4, 3, 3))
    assert [value.name for value in model.graph.outputs] == ["y", "a", "b", "d"]
    assert [value.producer().op_type for value in model.graph.outputs] == [  # type: ignore[union-attr]
        *("AscendAntiQuant", "AscendDequant", "Neg", "AscendAntiQuant")
    ]
    assert list(Session(fake_quantised(model), threads=1).run({"x": numbers(2, 4, 6, 6)})) == ["y", "a", "b", "d"]


def test_constants_between_pairs_become_floats() -> None:
    body = "d = PAIR(x) e = DequantizeLinear(c, sw, zw) y = Add(d, e)"
    quantized, model = deploy(body, c=whole(6))
    assert [node.op_type for node in model.graph] == ["AscendQuant", "AscendAntiQuant", "Add"]
    assert_same(quantized, fake_quantised(model), {"x": numbers(2, 4, 6, 6)})


def test_a_layer_inside_a_branch() -> None:
    made = from_text(
        """g (float[2,4] x, bool c) => (float[2,3] y)
        <float s = {0.05}, int8 z = {-7}, float sw = {0.02}, int8 zw = {0},
         int8[4,3] w = {1,2,3,4,5,6,7,8,9,10,11,12}> {
            y = If(c) <
                then_branch = a () => (float[2,3] t) {
                    q = QuantizeLinear(x, s, z) d = DequantizeLinear(q, s, z) v = DequantizeLinear(w, sw, zw)
                    t = MatMul(d, v)
                },
                else_branch = b () => (float[2,3] e) {
                    q2 = QuantizeLinear(x, s, z) d2 = DequantizeLinear(q2, s, z) v2 = DequantizeLinear(w, sw, zw)
                    f = MatMul(d2, v2) e = Neg(f)
                }
            >
        }"""
    )
    model = deployed(made)
    check(model)
    assert len(list(layers(model))) == 2
    for condition in (True, False):
        feeds = {"x": numbers(2, 4), "c": np.array(condition)}
        expected, given = Session(made, threads=1).run(feeds), Session(fake_quantised(model), threads=1).run(feeds)
        np.testing.assert_allclose(given["y"], expected["y"], rtol=1e-6)
