"""The histogram: it depends on the values alone, merges are exact, and every value is in its bin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from onnxpress_plugins.quantization.histogram import DENSE, SIDE, STRIDE, Histogram

Sample = np.ndarray[Any, np.dtype[np.float32]]

magnitudes = st.floats(2.0**-64, 2.0**64, width=32)
values = st.one_of(st.just(0.0), magnitudes, magnitudes.map(lambda x: -x))
samples = st.lists(arrays(np.float32, st.integers(1, 40), elements=values), min_size=1, max_size=6)


def histogram(parts: Sequence[Sample]) -> Histogram:
    made = Histogram()
    for part in parts:
        made.add(part, float(part.min()), float(part.max()))
    return made


def state(of: Histogram) -> tuple[object, ...]:
    return of.exponent, of.low, of.high, of.counts.tolist()


@given(samples)
def test_every_value_is_in_its_bin(parts: list[Sample]) -> None:
    made, seen = histogram(parts), np.concatenate(parts).astype(np.float64)
    bins = np.floor(seen / made.width).astype(int)
    np.testing.assert_array_equal(made.counts, np.bincount(bins + SIDE, minlength=2 * SIDE))
    assert made.occupied().sum() == seen.size
    assert (made.low, made.high) == (seen.min(), seen.max())


@given(samples, st.randoms())
def test_order_changes_nothing(parts: list[Sample], random: Any) -> None:
    shuffled = list(parts)
    random.shuffle(shuffled)
    assert state(histogram(shuffled)) == state(histogram(parts))


@given(samples)
def test_splitting_changes_nothing(parts: list[Sample]) -> None:
    assert state(histogram([np.concatenate(parts)])) == state(histogram(parts))


@given(samples, samples)
def test_merging_is_counting_both(ours: list[Sample], theirs: list[Sample]) -> None:
    merged, other = histogram(ours), histogram(theirs)
    before = state(other)
    merged.merge(other)
    assert state(merged) == state(histogram(ours + theirs))
    assert state(other) == before


@given(samples)
def test_merging_with_nothing_changes_nothing(parts: list[Sample]) -> None:
    ours, empty = histogram(parts), Histogram()
    ours.merge(empty)
    empty.merge(ours)
    assert state(ours) == state(empty) == state(histogram(parts))


@given(arrays(np.float32, 20, elements=values).filter(np.any))
def test_resolution_is_a_2048th_of_the_largest_magnitude(sample: Sample) -> None:
    assert histogram([sample]).width <= np.abs(sample).max() / (SIDE / 2)


@pytest.mark.parametrize("constant", [0.0, 1.0, -1.0, 0.3])
def test_a_constant_takes_one_bin(constant: float) -> None:
    made = histogram([np.full(100, constant, np.float32)])
    assert np.count_nonzero(made.counts) == 1 and made.occupied().sum() == 100


def test_of_large_samples_one_value_in_a_stride_is_counted_but_for_the_extremes() -> None:
    sample = np.linspace(-1, 3, DENSE + 1, dtype=np.float32)
    made = histogram([sample])
    assert made.occupied().sum() == len(range(0, DENSE + 1, STRIDE))
    assert (made.low, made.high) == (-1, 3)


def test_every_channel_of_a_large_sample_is_counted() -> None:
    channels = np.repeat(np.arange(1280, dtype=np.float32), 49).reshape(1, 1280, 7, 7)
    assert np.count_nonzero(histogram([channels]).counts) == 1280


@pytest.mark.parametrize("width", [7, 8, 14, 28, 56, 112, 224, 299, 16, 24, 32, 96, 144, 576, 960, 1280])
def test_the_stride_meets_every_column(width: int) -> None:
    columns = np.tile(np.arange(width, dtype=np.float32), 1 + 8 * DENSE // width)
    assert np.count_nonzero(histogram([columns]).counts) == width
