"""The search, and what all observers that clip have in common."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from distributions import HEAVY, SHAPES, Sample, extremes, tracker
from onnxpress.errors import InvalidOption
from onnxpress.kinds import Observer
from onnxpress_plugins.quantization.histogram import Histogram
from onnxpress_plugins.quantization.observers.clipping import FINE, narrowest
from onnxpress_plugins.quantization.observers.entropy import ENTROPY
from onnxpress_plugins.quantization.observers.mse import MSE
from onnxpress_plugins.quantization.observers.percentile import PERCENTILE

CLIPPING = [ENTROPY, MSE, PERCENTILE]
finite = st.floats(-(2.0**40), 2.0**40, width=32, allow_subnormal=False).map(lambda x: x if abs(x) > 2e-6 else 0.0)
samples = st.lists(arrays(np.float32, st.integers(1, 30), elements=finite), min_size=2, max_size=5)


@pytest.mark.parametrize("observer", CLIPPING, ids=lambda observer: observer.name)
@given(parts=samples)
def test_the_range_is_inside_the_extremes_and_does_not_depend_on_the_split(
    observer: Observer, parts: list[Sample]
) -> None:
    whole = np.concatenate(parts)
    found = tracker(observer, whole).range()
    assert found == tracker(observer, *parts).range() == tracker(observer, *reversed(parts)).range()
    low, high = found
    assert whole.min() <= max(low, whole.min()) and min(high, whole.max()) <= whole.max()
    assert low <= high and low >= min(whole.min(), 0) and high <= max(whole.max(), 0)


@pytest.mark.parametrize("observer", CLIPPING, ids=lambda observer: observer.name)
def test_merging_is_seeing_both(observer: Observer) -> None:
    one, other = tracker(observer, HEAVY[:1000]), tracker(observer, HEAVY[1000:])
    one.merge(other)
    assert one.range() == tracker(observer, HEAVY).range()


@pytest.mark.parametrize("observer", CLIPPING, ids=lambda observer: observer.name)
@pytest.mark.parametrize("constant", [0.0, 2.5, -2.5, 1e-30, 1e30])
def test_a_constant_is_its_own_range(observer: Observer, constant: float) -> None:
    sample = np.full(100, constant, np.float32)
    assert tracker(observer, sample).range() == extremes(sample)


@pytest.mark.parametrize("observer, low, high", [(ENTROPY, -10, 10), (PERCENTILE, -20, 13), (MSE, -27, 15)])
def test_a_heavy_tail_is_clipped_at_both_ends(observer: Observer, low: float, high: float) -> None:
    assert extremes(HEAVY) == (np.float32(-27.9), np.float32(15.6))
    found = tracker(observer, HEAVY).range()
    assert low < found[0] < -4 and 4 < found[1] < high


@pytest.mark.parametrize("observer", [ENTROPY, MSE], ids=lambda observer: observer.name)
@pytest.mark.parametrize("shape", ["saturated", "uniform", "never negative"])
def test_what_has_no_tail_is_hardly_clipped(observer: Observer, shape: str) -> None:
    sample = SHAPES[shape]
    assert tracker(observer, sample).range() == pytest.approx(extremes(sample), rel=0.03)


@pytest.mark.parametrize("observer", [ENTROPY, MSE], ids=lambda observer: observer.name)
def test_fewer_bits_clip_more(observer: Observer) -> None:
    eight, four = tracker(observer, HEAVY, bits=8).range(), tracker(observer, HEAVY, bits=4).range()
    assert four[1] - four[0] < eight[1] - eight[0]


@pytest.mark.parametrize("observer", [ENTROPY, MSE], ids=lambda observer: observer.name)
@pytest.mark.parametrize("bits", [1, 13])
def test_a_width_that_the_histogram_is_too_coarse_for_is_refused(observer: Observer, bits: int) -> None:
    with pytest.raises(InvalidOption, match=f"observer '{observer.name}': bits must be 2 to 12, not {bits}"):
        observer.build(bits=bits)


def made(low: float, high: float) -> Histogram:
    return tracker(ENTROPY, np.array([low, high], np.float32)).histogram


@given(st.floats(0.01, 100), st.floats(0.01, 100), st.floats(0, 1), st.floats(0.01, 1))
def test_the_search_finds_a_valley(low: float, high: float, below: float, above: float) -> None:
    histogram = made(-low, high)
    bottom = histogram.below * below, histogram.above * above
    found = narrowest(histogram, lambda lows, highs: (lows - bottom[0]) ** 2.0 + (highs - bottom[1]) ** 2.0)
    assert found[0] == pytest.approx(-low * below, abs=low / FINE + 2 * histogram.width)
    assert found[1] == pytest.approx(high * above, abs=high / FINE + 2 * histogram.width)


@given(st.floats(0.125, 100, width=32), st.floats(0.125, 100, width=32))
def test_of_equal_costs_the_widest_range_wins(low: float, high: float) -> None:
    found = narrowest(made(-low, high), lambda lows, highs: np.zeros(lows.size))
    assert found == (-low, high)
