"""Parts in half precision: a covariance far from 1 drives none of them out of its range."""

from __future__ import annotations

import numpy as np
import pytest

from onnxpress.decomposition.forms import spatial, tucker2


def covariance_of(size: int) -> np.ndarray:
    samples = np.random.default_rng(size).standard_normal((size, 4 * size))
    return samples @ samples.T / samples.shape[1]


def together(*parts: np.ndarray) -> np.ndarray:
    """The kernel that a stack is; each axis is in one part alone."""
    whole, *others = (part.astype(np.float64) for part in parts)
    for part in others:
        whole = np.einsum("or...,ri...->oi...", part, whole)
    return whole


@pytest.mark.parametrize("deviation", [1e-12, 1.0, 1e12])
def test_they_are_the_kernel_whatever_the_covariance(deviation: float) -> None:
    weight = np.random.default_rng(0).standard_normal((6, 5, 3, 3)).astype(np.float16)
    of_taps, of_channels = (covariance_of(size) * deviation**2 for size in (15, 5))
    for parts in (spatial(weight, 15, covariance=of_taps), tucker2(weight, (5, 6), covariance=of_channels)):
        assert {part.dtype for part in parts} == {np.dtype(np.float16)}
        np.testing.assert_allclose(together(*parts), weight, atol=0.02)
