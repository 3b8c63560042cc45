"""Percentile: numpy's, to a bin."""

from __future__ import annotations

import numpy as np
import pytest

from distributions import SHAPES, tracker
from onnxpress.errors import InvalidOption
from onnxpress_plugins.quantization.observers.percentile import PERCENTILE


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("percentile", [90.0, 99.0, 99.99, 100.0])
def test_percentile_is_numpy_s_to_a_bin(shape: str, percentile: float) -> None:
    sample = SHAPES[shape]
    made = tracker(PERCENTILE, sample, percentile=percentile)
    cut = (100 - percentile) / 2
    # numpy interpolates between two order statistics, which far out are more than a bin apart: it must be between them.
    for found, share in zip(made.range(), (cut, 100 - cut), strict=True):
        lower, upper = (np.percentile(sample, share, method=method) for method in ("lower", "higher"))
        assert lower - made.histogram.width <= found <= upper + made.histogram.width


@pytest.mark.parametrize("percentile", [50, 100.1, -1, float("nan")])
def test_a_percentile_that_leaves_nothing_is_refused(percentile: float) -> None:
    with pytest.raises(InvalidOption, match="observer 'percentile': percentile must be above 50 and at most 100, not"):
        PERCENTILE.build(percentile=percentile)
