"""Weights in whatever form tools leave them become int8 with one scale, or one for each output channel."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from onnxpress.ascend.checking import check
from onnxpress.ascend.layers import Layer, layers
from onnxpress.quantize import quantize
from onnxpress_backends.ascend.deploying import deployed
from onnxpress_backends.ascend.weights import Weight
from quantized_graphs import quantized_graph, whole

SCALES = np.array([0.01, 0.02, 0.04, 0.03, 0.05], "f4")
FLOATS = np.random.default_rng(1).normal(size=(5, 4, 3, 3)).astype("f4")
INTEGERS = quantize(FLOATS, SCALES, np.zeros(5, "i1"), dtype="int8", axis=0)


def only_layer(body: str, **given: Any) -> Layer:
    model = deployed(quantized_graph(body, **given))
    check(model)
    (layer,) = layers(model)
    return layer


def stored(value: ir.Value | None) -> np.ndarray[Any, Any]:
    assert value is not None and value.const_value is not None
    return value.const_value.numpy()


def per_channel(size: int = 5) -> dict[str, Any]:
    return {"sw": SCALES[:size], "zw": np.zeros(size, "i1")}


def assert_is_the_weight(layer: Layer) -> None:
    np.testing.assert_array_equal(stored(layer.weight), INTEGERS)
    np.testing.assert_array_equal(layer.deq_scale, np.float32(0.05) * SCALES)
    assert layer.weight is not None and layer.weight.name == "w"


def test_floats_before_a_pair_as_pytorch_trains_them() -> None:
    body = (
        "d = PAIR(x) wq = QuantizeLinear<axis = 0>(w, sw, zw) v = DequantizeLinear<axis = 0>(wq, sw, zw) y = Conv(d, v)"
    )
    assert_is_the_weight(only_layer(body, w=FLOATS, **per_channel()))


def test_a_transpose_before_and_behind_the_pair_as_pytorch_exports_other_axes() -> None:
    body = """d = PAIR(x) t = Transpose<perm = [1,0,2,3]>(w)
        wq = QuantizeLinear<axis = 0>(t, sw, zw) v = DequantizeLinear<axis = 0>(wq, sw, zw)
        u = Transpose<perm = [1,0,2,3]>(v) y = ConvTranspose(d, u)"""
    layer = only_layer(body, w=np.ascontiguousarray(FLOATS.transpose(1, 0, 2, 3)), **per_channel())
    np.testing.assert_array_equal(stored(layer.weight), INTEGERS.transpose(1, 0, 2, 3))
    np.testing.assert_array_equal(layer.deq_scale, np.float32(0.05) * SCALES)


def test_integers_in_the_order_of_tensorflow() -> None:
    """HWIO with a scale for each output channel, turned by tf2onnx."""
    body = "d = PAIR(x) v = DequantizeLinear<axis = 3>(w, sw, zw) u = Transpose<perm = [3,2,0,1]>(v) y = Conv(d, u)"
    assert_is_the_weight(only_layer(body, w=np.ascontiguousarray(INTEGERS.transpose(2, 3, 1, 0)), **per_channel()))


def test_integers_that_are_turned_before_they_are_dequantised() -> None:
    body = "d = PAIR(x) u = Transpose<perm = [3,2,0,1]>(w) v = DequantizeLinear<axis = 0>(u, sw, zw) y = Conv(d, v)"
    assert_is_the_weight(only_layer(body, w=np.ascontiguousarray(INTEGERS.transpose(2, 3, 1, 0)), **per_channel()))


def test_a_depthwise_weight_that_is_reshaped() -> None:
    """[H, W, C, 1] with a scale for each C becomes [C, 1, H, W]."""
    weight = whole(3, 3, 4, 1)
    body = """d = PAIR(x) v = DequantizeLinear<axis = 2>(w, sw, zw) u = Transpose<perm = [3,2,0,1]>(v)
        r = Reshape(u, shape) y = Conv<group = 4>(d, r)"""
    layer = only_layer(body, w=weight, shape=np.array([4, 1, 3, 3]), **per_channel(4))
    np.testing.assert_array_equal(stored(layer.weight), weight.transpose(2, 3, 0, 1))
    np.testing.assert_array_equal(layer.deq_scale, np.float32(0.05) * SCALES[:4])


@pytest.mark.parametrize(
    "move, before",
    [
        ("Squeeze(v, axes)", INTEGERS[np.newaxis]),
        ("Unsqueeze(v, axes)", INTEGERS.reshape(5, 4, 9)[0]),
        ("Flatten(v)", INTEGERS[:, :, 0]),
        ("Identity(v)", INTEGERS[:, :, 0, 0]),
    ],
)
def test_whatever_moves_the_numbers_of_a_weight(move: str, before: Any) -> None:
    body = f"d = PAIR(x) v = DequantizeLinear(w, sw, zw) u = {move} y = "
    op = {"Squeeze": "Conv(d, u)", "Unsqueeze": "Conv(d, u)"}.get(
        move.split("(", maxsplit=1)[0], "Gemm<transB = 1>(d, u)"
    )
    shape = {"Squeeze": "2,4,6,6", "Unsqueeze": "2,4,12", "Flatten": "2,12", "Identity": "2,4"}
    layer = only_layer(body + op, x=f"float[{shape[move.split('(', maxsplit=1)[0]]}] x", w=before, axes=np.array([0]))
    expected = before.reshape(-1, 12).T if move.startswith("Flatten") else before
    expected = {"Squeeze(v, axes)": INTEGERS, "Unsqueeze(v, axes)": before[np.newaxis]}.get(move, expected)
    np.testing.assert_array_equal(stored(layer.weight), before.T if move.startswith("Identity") else expected)


def test_groups_of_a_transposed_convolution_may_have_scales_of_their_own() -> None:
    """A scale for each input and output channel that is the same within a group."""
    scales = np.float32([[0.01, 0.02, 0.03]] * 2 + [[0.04, 0.05, 0.06]] * 2).reshape(12)
    body = """d = PAIR(x) v = DequantizeLinear<axis = 0>(w, sw, zw) r = Reshape(v, shape)
        y = ConvTranspose<group = 2>(d, r)"""
    weight = whole(12, 3, 3)
    layer = only_layer(body, w=weight, shape=np.array([4, 3, 3, 3]), sw=scales, zw=np.zeros(12, "i1"))
    np.testing.assert_array_equal(layer.deq_scale, np.float32(0.05) * scales[[0, 1, 2, 6, 7, 8]])


def test_layers_share_the_weight_they_share() -> None:
    body = """d = PAIR(x) q = QuantizeLinear(x, sw, zw) e = DequantizeLinear(q, sw, zw)
        v = DequantizeLinear<axis = 0>(w, s, z) a = Conv(d, v) b = Conv(e, v) y = Add(a, b)"""
    model = deployed(quantized_graph(body, w=INTEGERS, s=SCALES, z=np.zeros(5, "i1")))
    check(model)
    one, other = layers(model)
    assert one.weight is other.weight and list(model.graph.initializers) == ["a.dequant.param", "b.dequant.param", "w"]
    np.testing.assert_array_equal(one.deq_scale, np.float32(0.05) * SCALES)
    np.testing.assert_array_equal(other.deq_scale, np.float32(0.02) * SCALES)


def test_a_weight_that_is_read_in_two_ways_is_there_twice() -> None:
    body = """d = PAIR(x) v = DequantizeLinear(w, sw, zw) a = Gemm(d, v) b = Gemm<transB = 1>(d, v) y = Add(a, b)"""
    model = deployed(quantized_graph(body, x="float[2,5] x", w=whole(5, 5)))
    check(model)
    one, other = layers(model)
    np.testing.assert_array_equal(stored(one.weight), stored(other.weight).T)
    assert [value and value.name for value in (one.weight, other.weight)] == ["w", "w_1"]


@settings(max_examples=100)
@given(
    hnp.arrays(np.int8, (2, 3, 2, 2)),
    hnp.arrays(np.float32, (3,), elements=st.floats(2.0**-10, 1, width=32)),
    hnp.arrays(np.float32, (3,), elements=st.floats(1, 8, width=32)),
)
def test_a_raised_scale_keeps_the_numbers_to_half_a_step(integers: Any, scales: Any, factor: Any) -> None:
    weight = Weight(source=ir.Value(name="w"), integers=integers, scales=scales)
    least = (scales * factor).astype("f4")
    raised = weight.raised(least, 1, 1)
    np.testing.assert_array_equal(raised.scales, least)
    spread = (1, 3, 1, 1)
    before = integers * scales.reshape(spread).astype("f8")
    error = np.abs(raised.integers * least.reshape(spread).astype("f8") - before)
    assert (error <= least.reshape(spread) * (0.5 + 1e-6)).all()
    assert np.array_equal(raised.integers[:, factor == 1], integers[:, factor == 1])
