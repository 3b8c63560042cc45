"""Scales of weights and biases, for any weights: no overflow, no scale that cannot be used, small errors."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import onnx_ir as ir
from hypothesis import given
from hypothesis import strategies as st

from calibrated import numbers
from onnxpress.quantize import SMALLEST_SCALE, dequantize
from onnxpress.targets import Scheme
from onnxpress_plugins.quantization.weight_quantization import Weight

SCHEME = Scheme(signed=True, symmetric=True, per_channel=True, narrow=True)
exponents = st.lists(st.sampled_from([0, -3, -9, -30, None]), min_size=4, max_size=4)


def value(array: np.ndarray[Any, Any], name: str) -> ir.Value:
    made = ir.Value(name=name, const_value=ir.tensor(array, name=name))
    ir.Graph([], [], nodes=[], initializers=[made])
    return made


def scaled(weight: np.ndarray[Any, Any], powers: list[int | None]) -> np.ndarray[Any, Any]:
    factors = np.array([0.0 if power is None else 10.0**power for power in powers])
    return (weight * factors.reshape(-1, 1)).astype(np.float32)


@given(exponents, exponents, st.sampled_from([1e-30, 1e-6, 0.02, 1e6]), st.booleans(), st.integers(0, 99))
def test_any_bias_fits_and_keeps_its_value(
    weights: list[int | None], biases: list[int | None], activation: float, per_channel: bool, seed: int
) -> None:
    scale = np.float32(activation)
    weight = scaled(numbers(4, 16, seed=seed), weights)
    bias = scaled(numbers(4, 1, seed=seed + 1) * 100, biases).reshape(-1)
    scheme = SCHEME if per_channel else Scheme(signed=True, symmetric=True, narrow=True)
    record, bias_value = Weight(value(weight, "w"), 0), value(bias, "b")
    record.add_bias(bias_value, scale)
    record.settle(scheme)
    assert record.scales.shape == ((4,) if per_channel else ())
    assert (record.scales >= SMALLEST_SCALE).all() and np.isfinite(record.scales).all()
    integers, scales = record.bias(bias_value, scale)
    assert (scales >= SMALLEST_SCALE * np.float32(0.99)).all()
    assert np.abs(integers.astype(np.int64)).max() <= 2**30 + 64
    back = dequantize(integers, scales, np.zeros(scales.shape, np.int32), axis=0 if per_channel else None)
    assert (np.abs(back - bias) <= 0.51 * scales + 1e-6 * np.abs(bias)).all()


def test_a_weight_shared_by_two_layers_suits_both_biases() -> None:
    weight = scaled(numbers(4, 16), [0, -9, 0, 0])
    record = Weight(value(weight, "w"), 0)
    small, large = value(np.full(4, 1e-3, np.float32), "small"), value(np.full(4, 50, np.float32), "large")
    record.add_bias(small, np.float32(0.1))
    record.add_bias(large, np.float32(0.001))
    record.settle(SCHEME)
    assert record.raised == 1
    for bias, scale in ((small, 0.1), (large, 0.001)):
        integers, _ = record.bias(bias, np.float32(scale))
        assert np.abs(integers.astype(np.int64)).max() <= 2**30 + 64


def test_groups_share_scales_and_each_has_a_bias_of_its_own() -> None:
    numbers_ = scaled(numbers(2, 6), [0, -9]).reshape(4, 3, 1)  # four inputs, three outputs of each of two groups
    numbers_[:, 1] *= np.float32(1e-9)
    record, biases = Weight(value(numbers_, "w"), 1, groups=2), np.array([0, 0, 1, 0, 50, 0], np.float32)
    bias = value(biases, "b")
    record.add_bias(bias, np.float32(0.01))
    record.settle(SCHEME)
    integers, scales = record.bias(bias, np.float32(0.01))
    assert (record.scales.shape, integers.shape, scales.shape, record.raised) == ((3,), (6,), (6,), 1)
    np.testing.assert_array_equal(scales[:3], scales[3:])
    np.testing.assert_allclose(integers * scales, biases, atol=float(scales.max()))
    nearest, _ = record.integers(SCHEME, "nearest")
    moved, _ = record.integers(SCHEME, "cancelling")
    assert nearest.shape == moved.shape == (4, 3, 1)
    assert np.abs(moved.astype(int) - nearest).max() <= 1


def test_no_scale_is_below_the_smallest_of_the_scheme() -> None:
    scheme = replace(SCHEME, smallest_scale=0.25)
    record, bias = Weight(value(scaled(numbers(4, 16), [0, 3, None, None]), "w"), 0), np.array([0, 0, 0, 1], np.float32)
    record.add_bias(value(bias, "b"), np.float32(1))
    record.settle(scheme)
    assert (record.scales[0], record.scales[3], record.tiny) == (0.25, 0.25, 1)
    assert record.scales[1] > 0.25 and record.scales[2] == 1


def test_one_number_is_the_bias_of_every_channel() -> None:
    record = Weight(value(numbers(4, 16), "w"), 0)
    bias = value(np.array([0.5], np.float32), "b")
    record.add_bias(bias, np.float32(0.1))
    record.settle(SCHEME)
    integers, scales = record.bias(bias, np.float32(0.1))
    np.testing.assert_allclose(integers * scales, np.full(4, 0.5), rtol=1e-2)
