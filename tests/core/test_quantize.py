"""Quantisation against onnxruntime bit by bit, and the promises that parameters make."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from onnxpress.quantize import SMALLEST_SCALE, dequantize, parameters, quantize, weight_scales
from onnxpress.runtime import Session
from onnxpress.targets import Scheme
from onnxpress.testing import model

DTYPES = ("int8", "uint8", "int16", "uint16")
SCHEMES = [
    Scheme(bits=bits, signed=signed, symmetric=symmetric, narrow=narrow and signed)
    for bits in (8, 16)
    for signed in (False, True)
    for symmetric in (False, True)
    for narrow in (False, True)
]
scales = st.one_of(
    st.floats(2**-20, 2**20, width=32),
    st.sampled_from([1e-45, 1e-41, 1.1754944e-38, 1.0, 3e38]),
).map(np.float32)
values = hnp.arrays(np.float32, st.integers(1, 40), elements=st.floats(width=32, allow_nan=False))


@cache
def reference(op: str, dtype: str, axis: int | None) -> Session:
    source, result = (dtype, "float") if op == "DequantizeLinear" else ("float", dtype)
    rank, length = ("[C]" if axis is not None else ""), "A,B,C" if axis is not None else "L"
    attribute = "" if axis is None else f"<axis={axis}>"
    return Session(
        model(
            f'<ir_version: 10, opset_import: ["" : 21]> g ({source}[{length}] x, float{rank} s, {dtype}{rank} z) '
            f"=> ({result}[{length}] y) {{ y = {op}{attribute}(x, s, z) }}"
        ),
        threads=1,
    )


def by_onnxruntime(op: str, x: Any, scale: Any, zero: Any, dtype: str, axis: int | None = None) -> NDArray[Any]:
    feeds = {"x": x, "s": np.asarray(scale, np.float32), "z": np.asarray(zero, dtype)}
    return reference(op, dtype, axis).run(feeds)["y"]


def zero_points(dtype: str) -> st.SearchStrategy[int]:
    return st.integers(int(np.iinfo(dtype).min), int(np.iinfo(dtype).max))


@settings(deadline=None)
@given(st.data(), st.sampled_from(DTYPES), values, scales)
def test_quantize_is_bit_exact_with_onnxruntime(data: Any, dtype: str, x: NDArray[Any], scale: np.float32) -> None:
    zero = data.draw(zero_points(dtype))
    expected = by_onnxruntime("QuantizeLinear", x, scale, zero, dtype)
    np.testing.assert_array_equal(quantize(x, scale, zero, dtype=dtype), expected)


@settings(deadline=None)
@given(st.data(), st.sampled_from(DTYPES), st.floats(2**-20, 2**20, width=32))
def test_ties_go_to_even_and_beyond_the_range_saturates(data: Any, dtype: str, scale: float) -> None:
    zero = data.draw(zero_points(dtype))
    step = np.float32(2.0 ** round(np.log2(scale)))
    x = (np.arange(-600, 600, dtype=np.float32) + np.float32(0.5)) * step
    x = np.concatenate([x, np.array([np.inf, -np.inf, 0.0, -0.0, 3.4e38, -3.4e38], np.float32)])
    actual = quantize(x, step, zero, dtype=dtype)
    np.testing.assert_array_equal(actual, by_onnxruntime("QuantizeLinear", x, step, zero, dtype))
    assert actual[-6] == np.iinfo(dtype).max and actual[-5] == np.iinfo(dtype).min


def test_a_scalar_is_quantised_like_an_array() -> None:
    q = quantize(np.float32(0.3), 0.1, 2, dtype="uint8")  # type: ignore[arg-type]
    assert q.shape == () and q == 5
    assert dequantize(q, 0.1, 2) == np.float32(3) * np.float32(0.1)


def test_half_rounds_to_even() -> None:
    x = np.array([0.5, 1.5, 2.5, -0.5, -1.5], np.float32)
    assert quantize(x, 1.0, 10, dtype="uint8").tolist() == [10, 12, 12, 10, 8]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("length", [1, 3, 16, 67])
def test_nan_becomes_the_smallest_integer_as_in_onnxruntime(dtype: str, length: int) -> None:
    x = np.full(length, np.nan, np.float32)
    expected = by_onnxruntime("QuantizeLinear", x, 1.0, 3, dtype)
    np.testing.assert_array_equal(quantize(x, 1.0, 3, dtype=dtype), expected)
    assert set(expected.tolist()) == {np.iinfo(dtype).min}


@settings(deadline=None)
@given(st.data(), st.sampled_from((*DTYPES, "int32")), scales)
def test_dequantize_is_bit_exact_with_onnxruntime(data: Any, dtype: str, scale: np.float32) -> None:
    q = data.draw(hnp.arrays(dtype, st.integers(1, 40)))
    zero = 0 if dtype == "int32" else data.draw(zero_points(dtype))
    expected = by_onnxruntime("DequantizeLinear", q, scale, zero, dtype)
    np.testing.assert_array_equal(dequantize(q, scale, zero).view("u4"), expected.view("u4"))


@settings(deadline=None, max_examples=50)
@given(st.data(), st.sampled_from(DTYPES), st.sampled_from([0, 1, 2, -1]))
def test_axes_are_bit_exact_with_onnxruntime(data: Any, dtype: str, axis: int) -> None:
    shape = data.draw(hnp.array_shapes(min_dims=3, max_dims=3, max_side=4))
    x = data.draw(hnp.arrays(np.float32, shape, elements=st.floats(-1024, 1024, width=32)))
    scale = data.draw(hnp.arrays(np.float32, shape[axis], elements=st.floats(2**-10, 1024, width=32)))
    zero = data.draw(hnp.arrays(dtype, shape[axis]))
    q = quantize(x, scale, zero, dtype=dtype, axis=axis)
    np.testing.assert_array_equal(q, by_onnxruntime("QuantizeLinear", x, scale, zero, dtype, axis))
    back = by_onnxruntime("DequantizeLinear", q, scale, zero, dtype, axis)
    np.testing.assert_array_equal(dequantize(q, scale, zero, axis=axis).view("u4"), back.view("u4"))


finite = st.floats(width=32, allow_nan=False, allow_infinity=False)


@given(finite, finite, st.sampled_from(SCHEMES))
def test_parameters_hold_zero_exactly_and_the_range_to_half_a_step(a: float, b: float, scheme: Scheme) -> None:
    low, high = min(a, b), max(a, b)
    scale, zero = parameters(low, high, scheme)
    assert np.isfinite(scale) and scale >= SMALLEST_SCALE
    assert scheme.low <= zero <= scheme.high
    assert dequantize(np.array([zero], scheme.dtype), scale, zero)[0] == 0
    for end in (low, high):
        q = int(quantize(np.array([end], np.float32), scale, zero, dtype=scheme.dtype)[0])
        q = min(max(q, scheme.low), scheme.high)
        assert abs((q - zero) * float(scale) - end) <= 0.5001 * float(scale) + 1e-6 * abs(end)


@pytest.mark.parametrize("scheme", SCHEMES, ids=str)
def test_a_range_of_zero_has_a_usable_scale(scheme: Scheme) -> None:
    assert parameters(0.0, 0.0, scheme) == parameters(0.0, 1.0, scheme)


@pytest.mark.parametrize(
    ("low", "high", "scale", "zero"),
    [(0.0, 6.0, 6 / 255, 0), (-1.28, 1.27, 0.01, 128), (2.0, 5.0, 5 / 255, 0), (-4.0, -1.0, 4 / 255, 255)],
)
def test_parameters_of_uint8(low: float, high: float, scale: float, zero: int) -> None:
    assert parameters(low, high, Scheme()) == (np.float32(scale), zero)


def test_symmetric_parameters_have_the_middle_as_zero() -> None:
    assert parameters(-1.0, 3.0, Scheme(signed=True, symmetric=True)) == (np.float32(3 / 127), 0)
    assert parameters(-1.0, 3.0, Scheme(symmetric=True)) == (np.float32(3 / 127), 128)


@pytest.mark.parametrize(("low", "high"), [(1.0, 0.0), (0.0, np.inf), (np.nan, 1.0)])
def test_a_range_must_be_finite_and_ordered(low: float, high: float) -> None:
    with pytest.raises(ValueError, match="finite and ordered"):
        parameters(low, high, Scheme())


WEIGHT = Scheme(signed=True, symmetric=True, per_channel=True, narrow=True)


@given(
    hnp.arrays(np.float32, hnp.array_shapes(min_dims=2, max_dims=4), elements=st.floats(-1024, 1024, width=32)),
    st.integers(0, 1),
)
def test_weights_use_the_whole_range_and_lose_half_a_step(weight: NDArray[Any], axis: int) -> None:
    found = weight_scales(weight, axis, WEIGHT)
    assert found.shape == (weight.shape[axis],)
    usable = np.where(found > 0, found, 1)
    q = quantize(weight, usable, np.zeros(found.shape), dtype="int8", axis=axis)
    assert q.min(initial=0) >= -127
    back = dequantize(q, usable, np.zeros(found.shape), axis=axis)
    steps = usable.reshape([-1 if index == axis else 1 for index in range(weight.ndim)])
    assert (np.abs(back - weight) <= 0.5001 * steps).all()


@pytest.mark.parametrize("symmetric", [False, True])
def test_no_scale_is_below_the_smallest_of_the_scheme(symmetric: bool) -> None:
    scheme = Scheme(signed=True, symmetric=symmetric, per_channel=True, smallest_scale=0.5)
    assert parameters(-1.0, 1.0, scheme)[0] == 0.5
    assert parameters(-200.0, 200.0, scheme)[0] > 1
    weight = np.array([[1, -2], [0, 0], [300, 1]], np.float32)
    np.testing.assert_array_equal(weight_scales(weight, 0, scheme), np.array([0.5, 0, 300 / 127], np.float32))


def test_a_channel_of_zeros_has_scale_zero_for_the_caller_to_fill() -> None:
    weight = np.array([[0.0, 0.0], [1.0, -2.54]], np.float32)
    np.testing.assert_allclose(weight_scales(weight, 0, WEIGHT), [0.0, 0.02], rtol=1e-6)
    assert weight_scales(np.zeros((2, 2), np.float32), None, WEIGHT) == 0
