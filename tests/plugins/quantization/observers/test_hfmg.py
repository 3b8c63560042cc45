"""HFMG: it finds what AMCT finds with a histogram of everything."""

from __future__ import annotations

import numpy as np
import pytest

from amct_observers import hfmg_loss, hfmg_windows
from distributions import HEAVY, SHAPES, extremes, tracker
from onnxpress.errors import InvalidOption
from onnxpress.kinds import Target
from onnxpress.quantize import parameters
from onnxpress_plugins.quantization.ascend import ASCEND, ASCEND_SYMMETRIC
from onnxpress_plugins.quantization.observers.hfmg import HFMG, evenly, losses, windows

BINS = 1024
COUNTS = [*np.random.default_rng(4).poisson(40 * np.exp(-(np.linspace(-4, 5, 300) ** 2))).tolist(), 0, 3]


def test_the_window_shrinks_as_amcts() -> None:
    for counts in (COUNTS, COUNTS[::-1], [7] * 100, [0] * 50 + [900_000] + [1] * 50):
        assert [tuple(pair) for pair in windows(np.array(counts, float)).tolist()] == hfmg_windows(counts)


def test_the_loss_is_amcts() -> None:
    masses = np.array(COUNTS, float)
    found = windows(masses)[::7]
    direct = [hfmg_loss(COUNTS, 1.0, tuple(window)) for window in found.tolist()]
    np.testing.assert_allclose(losses(masses, found, 256), direct, rtol=1e-9)


@pytest.mark.parametrize("shape", SHAPES)
def test_it_chooses_as_well_as_amct(shape: str) -> None:
    sample = SHAPES[shape]
    counts = np.histogram(sample, BINS, extremes(sample))[0].tolist()
    width = (extremes(sample)[1] - extremes(sample)[0]) / BINS
    tried = np.array(hfmg_windows(counts))
    direct = losses(np.array(counts, float), tried, 256)
    best = tried[np.argmin(direct)]
    low, high = tracker(HFMG, sample, num_of_bins=BINS).range()
    ours = np.array([[round((low - sample.min()) / width), round((high - sample.min()) / width) - 1]])
    assert losses(np.array(counts, float), ours, 256)[0] <= direct.min() * 1.03  # 3 %: bins inside bins
    assert hfmg_loss(counts, 1.0, tuple(best)) == pytest.approx(direct.min(), rel=1e-9)


@pytest.mark.parametrize("bins", [1024, 4096, 8192])
def test_bins_are_divided_from_finer_ones(bins: int) -> None:
    made = tracker(HFMG, HEAVY, num_of_bins=bins)
    masses = evenly(made.histogram, bins)
    exact = np.histogram(HEAVY, bins, extremes(HEAVY))[0]
    assert masses.sum() == HEAVY.size
    assert np.abs(np.cumsum(masses) - np.cumsum(exact)).max() < exact.max()


@pytest.mark.parametrize("target", [ASCEND, ASCEND_SYMMETRIC], ids=lambda target: target.name)
def test_a_symmetric_range_has_no_offset_and_the_step_of_the_larger_side(target: Target) -> None:
    low, high = tracker(HFMG, HEAVY).range()
    assert high < -low
    for sample, step in ((HEAVY, -low / 128), (-HEAVY, -low / 127)):
        scale, offset = parameters(*tracker(HFMG, sample, asymmetric=False).range(), target.activation)
        assert (scale, offset) == (pytest.approx(step, rel=0.01), 0)


@pytest.mark.parametrize("sample", [np.zeros(5), np.full(9, 2.5), np.full(9, -2.5)])
def test_a_constant_needs_no_search(sample: np.ndarray[tuple[int], np.dtype[np.float64]]) -> None:
    constant = sample.astype(np.float32)
    assert tracker(HFMG, constant).range() == extremes(constant)


def test_neither_order_nor_split_changes_anything() -> None:
    parts = np.split(HEAVY, 8)
    assert tracker(HFMG, *parts[::-1]).range() == tracker(HFMG, HEAVY).range()
    one = tracker(HFMG, *parts[:3])
    one.merge(tracker(HFMG, *parts[3:]))
    assert one.range() == tracker(HFMG, HEAVY).range()


def test_a_number_of_bins_that_amct_does_not_know_is_refused() -> None:
    with pytest.raises(InvalidOption, match="observer 'hfmg': num_of_bins must be 1024, 2048, 4096 or 8192, not 1000"):
        HFMG.build(num_of_bins=1000)
