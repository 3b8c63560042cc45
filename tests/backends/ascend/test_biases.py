"""Biases are integers on the grid of the accumulator, and leave room for the products."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from calibrated import numbers
from onnxpress.ascend.checking import check
from onnxpress.ascend.layers import Layer, layers
from onnxpress.ascend.operators import SMALLEST_SCALE
from onnxpress.kinds import WARNINGS_KEY
from onnxpress.quantize import quantize
from onnxpress_backends.ascend.biases import integers, least_scales
from onnxpress_backends.ascend.deploying import deployed
from quantized_graphs import quantized_graph, whole

STEP = np.float32(0.05) * np.float32(0.02)
CONV = "d = PAIR(x) v = DequantizeLinear(w, sw, zw)"


def deploy(body: str, **given: Any) -> tuple[ir.Model, list[Layer]]:
    model = deployed(quantized_graph(body, **given))
    check(model)
    return model, list(layers(model))


def stored(value: ir.Value | None) -> np.ndarray[Any, Any]:
    assert value is not None and value.const_value is not None
    return value.const_value.numpy()


def test_floats_are_rounded_to_the_grid_half_to_even() -> None:
    bias = np.array([0.5, 1.5, -2.5, 7, 1e4], "f8") * np.float64(STEP)
    _, (layer,) = deploy(f"{CONV} y = Conv(d, v, b)", w=whole(5, 4, 3, 3), b=bias.astype("f4"))
    expected = np.rint(bias.astype("f4").astype("f8") / np.float64(STEP))
    np.testing.assert_array_equal(stored(layer.bias), expected)
    assert stored(layer.bias).dtype == np.int32 and layer.bias is not None and layer.bias.name == "b"


def test_integers_on_another_grid_are_rounded_to_this_one() -> None:
    body = f"{CONV} c = DequantizeLinear(b, sb) y = Conv(d, v, c)"
    bias = whole(5, dtype="int32", high=3000)
    _, (layer,) = deploy(body, w=whole(5, 4, 3, 3), b=bias, sb=np.float32(0.003))
    np.testing.assert_array_equal(stored(layer.bias), np.rint(bias * np.float64(np.float32(0.003)) / np.float64(STEP)))


def test_a_pair_around_a_float_bias_rounds_as_it_says() -> None:
    body = f"{CONV} bq = QuantizeLinear(b, sw, zw) c = DequantizeLinear(bq, sw, zw) y = Conv(d, v, c)"
    _, (layer,) = deploy(body, w=whole(5, 4, 3, 3), b=numbers(5))
    rounded = quantize(numbers(5), np.float32(0.02), np.int8(0), dtype="int8").astype("f8") * np.float64(
        np.float32(0.02)
    )
    np.testing.assert_array_equal(stored(layer.bias), np.rint(rounded / np.float64(STEP)))


def test_one_bias_in_two_layers_with_different_scales() -> None:
    body = f"""{CONV} q = QuantizeLinear(x, sw, zw) e = DequantizeLinear(q, sw, zw)
        m = Conv(d, v, b) n = Conv(e, v, b) y = Add(m, n)"""
    model, (one, other) = deploy(body, w=whole(5, 4, 3, 3), b=numbers(5))
    np.testing.assert_array_equal(stored(one.bias), np.rint(numbers(5) / np.float64(STEP)))
    np.testing.assert_array_equal(
        stored(other.bias), np.rint(numbers(5) / np.float64(np.float32(0.02) * np.float32(0.02)))
    )
    assert [layer.bias and layer.bias.name for layer in (one, other)] == ["b", "b_1"]
    assert one.weight is other.weight and model.meta[WARNINGS_KEY] == []


def test_one_bias_in_two_layers_with_one_scale_is_there_once() -> None:
    body = f"{CONV} u = DequantizeLinear(w, sw, zw) m = Conv(d, v, b) n = Conv(d, u, b) y = Add(m, n)"
    _, (one, other) = deploy(body, w=whole(5, 4, 3, 3), b=numbers(5))
    assert one.bias is other.bias


def test_one_number_is_a_bias_for_every_channel() -> None:
    body = "d = PAIR(x) v = DequantizeLinear(w, sw, zw) y = Gemm(d, v, b)"
    _, (layer,) = deploy(body, x="float[2,4] x", w=whole(4, 3), b=np.float32([0.25]))
    np.testing.assert_array_equal(stored(layer.bias), np.rint([0.25 / np.float64(STEP)] * 3))


def test_a_bias_that_would_overflow_raises_the_scale_of_its_channel() -> None:
    weight, bias = whole(5, 4, 3, 3), np.array([1, 2, 1e7, 3, -4], "f4")
    model, (layer,) = deploy(f"{CONV} y = Conv(d, v, b)", w=weight, b=bias)
    assert model.meta[WARNINGS_KEY] == [
        "Conv 'y': the weight scales of 1 out of 5 channels were raised, to leave room for the bias in 32 bits, or "
        "because "
        "Ascend knows none so small"
    ]
    assert layer.deq_scale.shape == (5,) and (layer.deq_scale[[0, 1, 3, 4]] == STEP).all()
    integer = stored(layer.bias).astype("i8")
    assert abs(integer[2]) + 36 * 2**15 < 2**31 and abs(integer[2] * np.float64(layer.deq_scale[2]) / 1e7 - 1) < 1e-8
    np.testing.assert_array_equal(stored(layer.weight)[[0, 1, 3, 4]], weight[[0, 1, 3, 4]])
    raised = layer.deq_scale[2].astype("f8") / np.float64(np.float32(0.05))
    np.testing.assert_array_equal(stored(layer.weight)[2], np.rint(weight[2] * (np.float64(np.float32(0.02)) / raised)))


def test_a_scale_below_the_least_is_raised() -> None:
    scales = np.array([0.02, 1e-9, 0.02, 0.02, 0.02], "f4")
    body = "d = PAIR(x) v = DequantizeLinear<axis = 0>(w, sw, zw) y = Conv(d, v)"
    model, (layer,) = deploy(body, w=whole(5, 4, 3, 3), sw=scales, zw=np.zeros(5, "i1"))
    assert layer.deq_scale[1] == np.float32(0.05) * SMALLEST_SCALE
    np.testing.assert_array_equal(stored(layer.weight)[1], np.rint(whole(5, 4, 3, 3)[1] * (1e-9 / SMALLEST_SCALE)))
    assert "the weight scales of 1 out of 5 channels were raised" in model.meta[WARNINGS_KEY][0]


def test_a_channel_of_zeros_keeps_its_bias() -> None:
    weight = whole(5, 4, 3, 3)
    weight[3] = 0
    _, (layer,) = deploy(f"{CONV} y = Conv(d, v, b)", w=weight, b=numbers(5))
    np.testing.assert_array_equal(stored(layer.bias), np.rint(numbers(5) / np.float64(STEP)))


def test_an_activation_with_too_small_a_step_is_raised_and_reported() -> None:
    model, (layer,) = deploy(f"{CONV} y = Conv(d, v)", w=whole(5, 4, 3, 3), sx=np.float32(1e-9))
    assert model.meta[WARNINGS_KEY] == [
        "QuantizeLinear 'd_q': the scale was raised to 1.19e-07, for Ascend knows none so small"
    ]
    assert layer.scale == np.float32(2**23) and layer.offset == -7


@settings(max_examples=200)
@given(
    hnp.arrays(np.float64, 4, elements=st.floats(-1e6, 1e6)),
    st.floats(2.0**-23, 1e3, width=32),
    hnp.arrays(np.float32, 4, elements=st.floats(2.0**-23, 10, width=32)),
    st.integers(1, 60000),
)
def test_whatever_the_bias_no_sum_overflows(bias: Any, scale: float, scales: Any, taps: int) -> None:
    raised = np.maximum(scales, least_scales(bias, np.float32(scale), taps, 4))
    result = integers(bias, np.asarray(np.float32(scale) * raised, "f4")).astype("i8")
    assert (np.abs(result) <= max(2**31 - 1 - 2**15 * taps, 2**30) * (1 + 1e-6)).all()


@pytest.mark.parametrize("body", ["Conv(d, v, c)", "Conv(d, v, e)"])
def test_a_bias_that_is_computed_leaves_the_layer_float(body: str) -> None:
    given = {"w": whole(5, 4, 3, 3), "x": "float[2,4,6,6] x, float[5] t"}
    model, found = deploy(
        f"{CONV} c = Neg(t) e_q = QuantizeLinear(t, sx, zx) e = DequantizeLinear(e_q, sx, zx) y = {body}", **given
    )
    assert not found and model.meta[WARNINGS_KEY] == [
        "Conv 'y' stays float: its bias is computed, or is not one number for each output channel"
    ]
