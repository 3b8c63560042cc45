"""Min-max: the extremes, to the bit."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from onnxpress_plugins.quantization.observers.minmax import MIN_MAX

Sample = np.ndarray[Any, np.dtype[np.float32]]
finite = st.floats(allow_nan=False, allow_infinity=False, width=32)
samples = st.lists(arrays(np.float32, st.integers(1, 20), elements=finite), min_size=2, max_size=6)


def range_of(parts: list[Sample]) -> tuple[float, float]:
    tracker = MIN_MAX.build()
    for part in parts:
        tracker.update(part, float(part.min()), float(part.max()))
    return tracker.range()


@given(samples)
def test_it_is_the_extremes(parts: list[Sample]) -> None:
    whole = np.concatenate(parts)
    assert range_of(parts) == (whole.min(), whole.max())


@given(samples)
def test_merging_is_seeing_both(parts: list[Sample]) -> None:
    one, other = MIN_MAX.build(), MIN_MAX.build()
    for part in parts[1:]:
        one.update(part, float(part.min()), float(part.max()))
    other.update(parts[0], float(parts[0].min()), float(parts[0].max()))
    one.merge(other)
    assert one.range() == range_of(parts)
