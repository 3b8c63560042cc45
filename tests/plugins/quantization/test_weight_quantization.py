"""Scales of weights and biases, for any weights: no overflow, no scale that cannot be used, small errors."""

from __future__ import annotations

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


def test_one_number_is_the_bias_of_every_channel() -> None:
    record = Weight(value(numbers(4, 16), "w"), 0)
    bias = value(np.array([0.5], np.float32), "b")
    record.add_bias(bias, np.float32(0.1))
    record.settle(SCHEME)
    integers, scales = record.bias(bias, np.float32(0.1))
    np.testing.assert_allclose(integers * scales, np.full(4, 0.5), rtol=1e-2)
