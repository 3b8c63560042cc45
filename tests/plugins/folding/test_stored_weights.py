"""Integers in front of a DequantizeLinear: scaling them is scaling what they stand for."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxpress.runtime import Session
from onnxpress.testing import apply, assert_equivalent, model
from onnxpress_plugins.folding.affine import Obstacle
from onnxpress_plugins.folding.bn_folding import FOLD_BATCH_NORM
from onnxpress_plugins.folding.stored_weights import StoredWeight, stored_weight
from onnxpress_plugins.quantization.qdq_insertion import INSERT_QDQ

X = np.random.default_rng(0).standard_normal((2, 3, 6, 6)).astype(np.float32)


def numbers(*shape: int, seed: int = 1) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).uniform(0.5, 2, shape).astype(np.float32)


def integers(*shape: int, dtype: str = "int8") -> np.ndarray[Any, Any]:
    limits = np.iinfo(dtype)
    return np.random.default_rng(2).integers(limits.min + 1, limits.max, shape, dtype)


def quantised(
    layer: str, shape: tuple[int, ...], *, channels: int = 4, scales: int = 4, zero: int = 0, **more: Any
) -> ir.Model:
    """A convolution of ``x`` with a stored weight, and BatchNormalization behind it."""
    axis = f"<axis={more.pop('axis', 0)}>" if scales else ""
    size = f"[{scales}]" if scales else ""
    sizes = ",".join(map(str, shape))
    text = f"""g (float[2,3,6,6] x, int8[{sizes}] q, float{size} s, int8{size} z,
                  float[{channels}] g, float[{channels}] b, float[{channels}] m, float[{channels}] v) => (y) {{
        w = DequantizeLinear{axis}(q, s, z)
        c = {layer}
        y = BatchNormalization(c, g, b, m, v)
    }}"""
    given = {"q": integers(*shape), "s": numbers(scales) if scales else np.float32(0.3)}
    given["z"] = np.full(given["s"].shape, zero, np.int8)
    statistics = {name: numbers(channels, seed=ord(name)) for name in "gbmv"}
    return model(text, **{**given, **statistics, **more})


def ops(parsed: ir.Model) -> list[str]:
    return [node.op_type for node in parsed.graph]


@pytest.mark.parametrize("scales", [0, 4])
@pytest.mark.parametrize("zero", [0, 5])
def test_batch_normalization_goes_into_the_scales(scales: int, zero: int) -> None:
    before = quantised("Conv(x, w)", (4, 3, 3, 3), scales=scales, zero=zero)
    after, notes = apply(FOLD_BATCH_NORM, before)
    assert ops(after) == ["DequantizeLinear", "Conv"]
    assert notes.counts == {"BatchNormalization folded into Conv": 1}
    stored = stored_weight(after.graph[1].inputs[1])
    assert stored is not None
    np.testing.assert_array_equal(stored.integers, integers(4, 3, 3, 3))
    assert (stored.scale.shape, stored.axis) == ((4,), 0)
    assert_equivalent(before, after, {"x": X}, rtol=0, atol=1e-4 * 200)


def test_a_negative_gamma_turns_the_integers() -> None:
    before = quantised("Conv(x, w)", (4, 3, 3, 3), g=np.array([1, -1, 2, -0.5], np.float32))
    after, _ = apply(FOLD_BATCH_NORM, before)
    stored = stored_weight(after.graph[1].inputs[1])
    assert stored is not None
    expected = integers(4, 3, 3, 3) * np.array([1, -1, 1, -1], np.int8).reshape(4, 1, 1, 1)
    np.testing.assert_array_equal(stored.integers, expected)
    assert not stored.zero_point.any()
    assert_equivalent(before, after, {"x": X}, rtol=0, atol=1e-4 * 200)


def test_a_layer_before_which_a_scale_stands_declines() -> None:
    before = model(
        """g (float[2,3,6,6] x, int8[4,3,3,3] q, float[4] s, float[1,3,1,1] a) => (y) {
            w = DequantizeLinear<axis=0>(q, s)
            m = Mul(x, a)
            y = Conv(m, w)
        }""",
        q=integers(4, 3, 3, 3), s=numbers(4), a=numbers(1, 3, 1, 1),
    )  # fmt: skip
    after, notes = apply(FOLD_BATCH_NORM, before)
    assert ops(after) == ops(before)
    (declined,) = notes.declined
    assert declined.reason.endswith("has an integer weight, which has no scale for each input channel")


def test_groups_that_share_their_scales_decline() -> None:
    before = quantised("ConvTranspose<group=3>(x, w)", (3, 2, 3, 3), channels=6, scales=2, axis=1)
    after, notes = apply(FOLD_BATCH_NORM, before)
    assert ops(after) == ops(before)
    assert notes.declined[0].reason.startswith(
        "ConvTranspose 'c' has an integer weight whose groups share their scales"
    )


def test_a_weight_that_others_use_is_copied() -> None:
    before = model(
        """g (float[2,3,6,6] x, int8[3,3,1,1] q, float[3] s, float[1,3,1,1] a) => (y, z) {
            w = DequantizeLinear<axis=0>(q, s)
            c = Conv(x, w)
            y = Mul(c, a)
            z = Conv(x, w)
        }""",
        q=integers(3, 3, 1, 1), s=numbers(3), a=numbers(1, 3, 1, 1),
    )  # fmt: skip
    after, _ = apply(FOLD_BATCH_NORM, before)
    assert sorted(ops(after)) == ["Conv", "Conv", "DequantizeLinear", "DequantizeLinear"]
    assert_equivalent(before, after, {"x": X}, rtol=1e-5, atol=1e-3)


def test_a_weight_inside_a_subgraph() -> None:
    before = model(
        """g (bool k, float[2,3,6,6] x, int8[4,3,3,3] q, float[4] s, float[1,4,1,1] a) => (y) {
            y = If(k) <then_branch = t () => (o) {
                    w = DequantizeLinear<axis=0>(q, s)
                    c = Conv(x, w)
                    o = Mul(c, a)
                }, else_branch = e () => (p) { p = Conv(x, w2) }>
        }""".replace("w2", "f").replace("float[1,4,1,1] a", "float[1,4,1,1] a, float[4,3,3,3] f"),
        q=integers(4, 3, 3, 3), s=numbers(4), a=numbers(1, 4, 1, 1), f=numbers(4, 3, 3, 3),
    )  # fmt: skip
    after, notes = apply(FOLD_BATCH_NORM, before)
    assert notes.counts == {"Mul folded into Conv": 1}
    assert_equivalent(before, after, {"k": np.array(True), "x": X}, rtol=1e-5, atol=1e-2)


@st.composite
def weights(draw: st.DrawFn) -> tuple[StoredWeight, np.ndarray[Any, Any]]:
    dtype = draw(st.sampled_from(["int8", "uint8", "int16"]))
    limits, channels = np.iinfo(dtype), draw(st.integers(1, 4))
    whole = st.integers(int(limits.min), int(limits.max))
    values = np.array(draw(st.lists(whole, min_size=2 * channels, max_size=2 * channels)), dtype).reshape(2, channels)
    count = draw(st.sampled_from([None, channels]))
    zero = draw(st.sampled_from([[0], draw(st.lists(whole, min_size=channels, max_size=channels))]))
    shape = () if count is None else (channels,)
    stored = StoredWeight(
        node=ir.node("DequantizeLinear", [None, None], name="dq"),
        integers=values,
        scale=np.full(shape, 0.25, np.float32),
        zero_point=np.resize(np.array(zero, dtype), shape) if shape else np.array(zero[0], dtype),
        axis=None if count is None else 1,
    )
    factors = st.floats(-4, 4).filter(lambda factor: factor == 0 or abs(factor) > 1e-3)
    return stored, np.array(draw(st.lists(factors, min_size=channels, max_size=channels)))


@given(weights())
def test_scaled_integers_stand_for_scaled_numbers(drawn: tuple[StoredWeight, np.ndarray[Any, Any]]) -> None:
    stored, factors = drawn
    scaled = stored.scaled(factors, 1)
    assert scaled.integers.dtype == scaled.zero_point.dtype == stored.integers.dtype
    assert (scaled.scale > 0).all()
    np.testing.assert_allclose(scaled.numbers, stored.numbers * factors, rtol=1e-6)


def test_scales_of_another_axis_are_an_obstacle() -> None:
    stored = StoredWeight(
        node=ir.node("DequantizeLinear", [None, None], name="dq"),
        integers=integers(2, 3), scale=numbers(2), zero_point=np.zeros(2, np.int8), axis=0,
    )  # fmt: skip
    with pytest.raises(Obstacle, match="DequantizeLinear 'dq' has scales along axis 0, and axis 1 is to be scaled"):
        stored.scaled(np.ones(3), 1)
    with pytest.raises(Obstacle, match="DequantizeLinear 'dq' would get NaN or infinity in its scales"):
        stored.scaled(np.full(2, 1e39), 0)


def test_what_is_computed_is_not_stored() -> None:
    parsed = model("g (int8[2] q, float[2] s) => (y) { y = DequantizeLinear<axis=0>(q, s) }", s=numbers(2))
    assert stored_weight(parsed.graph[0].outputs[0]) is None
    assert Session(parsed).run({"q": integers(2)})["y"].shape == (2,)


def test_a_layer_with_a_stored_weight_is_not_quantised_again() -> None:
    before = model(
        """g (float[2,3,6,6] x, int8[4,3,3,3] q, float[4] s) => (float[2,4,4,4] y) {
            w = DequantizeLinear<axis=0>(q, s)
            y = Conv(x, w)
        }""",
        q=integers(4, 3, 3, 3), s=numbers(4),
    )  # fmt: skip
    after, notes = apply(INSERT_QDQ, before)
    assert ops(after) == ops(before)
    assert [item.reason for item in notes.declined] == ["its weight 'w' is quantised already"]
