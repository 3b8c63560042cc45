"""Percentile, entropy and squared error, on distributions where what is right is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from onnxpress.errors import InvalidOption
from onnxpress.kinds import Observer
from onnxpress_plugins.histogram import HistogramTracker
from onnxpress_plugins.observers.entropy import ENTROPY
from onnxpress_plugins.observers.mse import MSE
from onnxpress_plugins.observers.percentile import PERCENTILE

Sample = np.ndarray[Any, np.dtype[np.float32]]
CLIPPING = [ENTROPY, MSE, PERCENTILE]
RNG = np.random.default_rng(5)
SIZE = 32_000  # counted in full

# A heavy tail as calibration finds it: mostly small, a few far out, more to the left than to the right.
HEAVY = np.append(RNG.laplace(size=SIZE - 4), [-27.9, -20, 12, 15.6]).astype(np.float32)
SHAPES = {
    "normal": RNG.normal(size=SIZE),
    "laplace": RNG.laplace(size=SIZE),
    "student": RNG.standard_t(4, SIZE),
    "rectified": np.maximum(RNG.standard_t(4, SIZE), 0),
    "shifted": RNG.normal(2, 1, SIZE),
    "saturated": np.clip(RNG.normal(2, 3, SIZE), 0, 6),
    "uniform": RNG.uniform(-1, 3, SIZE),
    "never negative": RNG.uniform(3, 7, SIZE),
    "never positive": -RNG.exponential(size=SIZE),
    "outlier": np.append(RNG.normal(size=SIZE - 1), 1000.0),
}
finite = st.floats(-(2.0**40), 2.0**40, width=32, allow_subnormal=False).map(lambda x: x if abs(x) > 2e-6 else 0.0)
samples = st.lists(arrays(np.float32, st.integers(1, 30), elements=finite), min_size=2, max_size=5)


def tracker(observer: Observer, *parts: Sample, **options: object) -> HistogramTracker:
    made = observer.build(**options)
    assert isinstance(made, HistogramTracker)
    for part in parts:
        made.update(part, float(part.min()), float(part.max()))
    return made


def squared_error(sample: Sample, low: float, high: float) -> float:
    """Mean squared error of quantising to uint8, with zero in range."""
    low, high = min(low, 0.0), max(high, 0.0)
    scale = (high - low) / 255
    zero = round(-low / scale)
    quantised = np.clip(np.rint(sample / scale) + zero, 0, 255)
    return float(np.mean(((quantised - zero) * scale - sample) ** 2))


def extremes(sample: Sample) -> tuple[float, float]:
    return float(sample.min()), float(sample.max())


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
    sample = SHAPES[shape].astype(np.float32)
    assert tracker(observer, sample).range() == pytest.approx(extremes(sample), rel=0.03)


def test_entropy_ignores_the_zeros_of_a_relu() -> None:
    positive, zeros = np.abs(SHAPES["laplace"]).astype(np.float32), np.zeros(SIZE, np.float32)
    assert tracker(ENTROPY, positive, *[zeros] * 10).range()[1] == tracker(ENTROPY, positive).range()[1]


@pytest.mark.parametrize("shape", SHAPES)
def test_squared_error_is_never_worse_than_min_max(shape: str) -> None:
    sample = SHAPES[shape].astype(np.float32)
    ours, whole = squared_error(sample, *tracker(MSE, sample).range()), squared_error(sample, *extremes(sample))
    assert ours <= whole * 1.01  # 1 %: the histogram sees bins, not values


@pytest.mark.parametrize("shape, gain", [("normal", 1.08), ("laplace", 1.05), ("student", 1.08), ("rectified", 1.02)])
def test_squared_error_beats_min_max_on_tails(shape: str, gain: float) -> None:
    sample = SHAPES[shape].astype(np.float32)
    ours, whole = squared_error(sample, *tracker(MSE, sample).range()), squared_error(sample, *extremes(sample))
    assert ours * gain < whole


def test_squared_error_is_as_good_as_trying_everything() -> None:
    ours = squared_error(HEAVY, *tracker(MSE, HEAVY).range())
    low, high = extremes(HEAVY)
    steps = np.linspace(0.1, 1, 46)
    best = min(squared_error(HEAVY, low * below, high * above) for below in steps for above in steps)
    assert ours <= best * 1.02


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("percentile", [90.0, 99.0, 99.99, 100.0])
def test_percentile_is_numpy_s_to_a_bin(shape: str, percentile: float) -> None:
    sample = SHAPES[shape].astype(np.float32)
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


@pytest.mark.parametrize("observer", [ENTROPY, MSE], ids=lambda observer: observer.name)
def test_fewer_bits_clip_more(observer: Observer) -> None:
    eight, four = tracker(observer, HEAVY, bits=8).range(), tracker(observer, HEAVY, bits=4).range()
    assert four[1] - four[0] < eight[1] - eight[0]


@pytest.mark.parametrize("observer", [ENTROPY, MSE], ids=lambda observer: observer.name)
@pytest.mark.parametrize("bits", [1, 13])
def test_a_width_that_the_histogram_is_too_coarse_for_is_refused(observer: Observer, bits: int) -> None:
    with pytest.raises(InvalidOption, match=f"observer '{observer.name}': bits must be 2 to 12, not {bits}"):
        observer.build(bits=bits)
