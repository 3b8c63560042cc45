"""Rounding whose errors cancel."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from onnxpress.quantize import quantize, weight_scales
from onnxpress.targets import Scheme
from onnxpress_plugins.quantization.weight_rounding import cancel_errors

SCHEME = Scheme(signed=True, symmetric=True, per_channel=True, narrow=True)


def _rounded(weight: NDArray[np.float32], axis: int) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    scales = np.where((found := weight_scales(weight, axis, SCHEME)) == 0, np.float32(1), found)
    return quantize(weight, scales, np.zeros(len(scales), np.int8), dtype="int8", axis=axis), scales


@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.sampled_from([(8, 3, 3, 3), (16, 1, 3, 3), (5, 40), (40, 5), (1, 1)]),
    axis=st.integers(0, 1),
    zeros=st.floats(0, 1),
    skew=st.floats(-3, 3),
)
def test_errors_cancel_and_stay_below_a_step(
    seed: int, shape: tuple[int, ...], axis: int, zeros: float, skew: float
) -> None:
    generator = np.random.default_rng(seed)
    weight = (generator.normal(size=shape) + skew).astype(np.float32)
    weight[generator.random(shape) < zeros] = 0
    nearest, scales = _rounded(weight, axis)
    moved = cancel_errors(nearest, weight, scales, axis)
    broadcast = scales.reshape([-1 if index == axis else 1 for index in range(len(shape))])
    errors = moved - (weight / broadcast).astype(np.float64)
    others = tuple(index for index in range(len(shape)) if index != axis)
    assert np.abs(errors.sum(axis=others)).max() <= 0.5 + 1e-9
    assert np.abs(errors).max() < 1
    assert (moved[weight == 0] == 0).all()
    assert (np.abs(moved.astype(np.int64)) <= 127).all()
    assert moved.dtype == np.int8


def test_it_moves_the_errors_nearest_to_half_a_step() -> None:
    weight = np.array([[0.4, 0.45, 0.1, 127.0]], np.float32)
    nearest, scales = _rounded(weight, 0)
    assert nearest.tolist() == [[0, 0, 0, 127]]
    assert cancel_errors(nearest, weight, scales, 0).tolist() == [[0, 1, 0, 127]]


def test_one_scale_for_the_whole_tensor() -> None:
    weight = np.array([[0.4, 0.3, 0.3], [0.0, 0.0, 127.0]], np.float32)
    nearest = quantize(weight, np.float32(1), 0, dtype="int8")
    assert cancel_errors(nearest, weight, np.float32(1), 0).tolist() == [[1, 0, 0], [0, 0, 127]]


def test_it_reduces_the_error_behind_a_relu() -> None:
    generator = np.random.default_rng(0)
    weight = generator.normal(size=(32, 256)).astype(np.float32)
    inputs = np.maximum(generator.normal(loc=1, size=(256, 100)), 0)
    nearest, scales = _rounded(weight, 0)
    moved = cancel_errors(nearest, weight, scales, 0)

    def noise(integers: NDArray[np.int8]) -> float:
        return float((((integers * scales[:, np.newaxis] - weight) @ inputs) ** 2).mean())

    assert noise(moved) < 0.7 * noise(nearest)


@pytest.mark.parametrize("axis", [0, 1])
def test_nothing_moves_where_errors_cancel_already(axis: int) -> None:
    weight = np.array([[127.0, -127.0], [3.0, 127.0]], np.float32)
    nearest, scales = _rounded(weight, axis)
    np.testing.assert_array_equal(cancel_errors(nearest, weight, scales, axis), nearest)
