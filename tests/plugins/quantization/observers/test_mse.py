"""Squared error: it is the least, up to what a histogram can tell."""

from __future__ import annotations

import numpy as np
import pytest

from distributions import HEAVY, SHAPES, extremes, squared_error, tracker
from onnxpress_plugins.quantization.observers.mse import MSE


@pytest.mark.parametrize("shape", SHAPES)
def test_squared_error_is_never_worse_than_min_max(shape: str) -> None:
    sample = SHAPES[shape]
    ours, whole = squared_error(sample, *tracker(MSE, sample).range()), squared_error(sample, *extremes(sample))
    assert ours <= whole * 1.01  # 1 %: the histogram sees bins, not values


@pytest.mark.parametrize("shape, gain", [("normal", 1.08), ("laplace", 1.05), ("student", 1.08), ("rectified", 1.02)])
def test_squared_error_beats_min_max_on_tails(shape: str, gain: float) -> None:
    sample = SHAPES[shape]
    ours, whole = squared_error(sample, *tracker(MSE, sample).range()), squared_error(sample, *extremes(sample))
    assert ours * gain < whole


def test_squared_error_is_as_good_as_trying_everything() -> None:
    ours = squared_error(HEAVY, *tracker(MSE, HEAVY).range())
    low, high = extremes(HEAVY)
    steps = np.linspace(0.1, 1, 46)
    best = min(squared_error(HEAVY, low * below, high * above) for below in steps for above in steps)
    assert ours <= best * 1.02
