"""IFMR: it finds what AMCT finds with every value in memory."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amct_observers import ifmr_candidates, kth_extremes
from distributions import HEAVY, SHAPES, Sample
from onnxpress.errors import InvalidOption
from onnxpress.kinds import Target
from onnxpress.quantize import parameters
from onnxpress_plugins.quantization.ascend import ASCEND, ASCEND_SYMMETRIC
from onnxpress_plugins.quantization.histogram import DENSE
from onnxpress_plugins.quantization.observers.ifmr import IFMR, Ifmr
from onnxpress_plugins.quantization.observers.tails import KEPT


def seen(*parts: Sample, **options: object) -> Ifmr:
    made = IFMR.build(**options)
    assert isinstance(made, Ifmr)
    for part in parts:
        for piece in np.array_split(part, 1 + part.size // DENSE):  # small enough to be counted in full
            made.update(piece, float(piece.min()), float(piece.max()))
    return made


@pytest.mark.parametrize("asymmetric", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("percentile", [0.999999, 0.999, 1.0])
def test_it_chooses_what_amct_chooses(shape: str, asymmetric: bool, percentile: float) -> None:
    sample = SHAPES[shape]
    options = {"asymmetric": asymmetric, "max_percentile": percentile, "min_percentile": percentile}
    low, high = seen(sample, **options).range()
    steps, losses = ifmr_candidates(sample, percentile, asymmetric)
    ours = int(np.argmin(np.abs(steps - (high - low) / 255)))
    assert (high - low) / 255 == pytest.approx(steps[ours], rel=1e-9)  # it is one of AMCT's candidates ...
    assert losses[ours] <= losses.min() * 1.01  # ... and the best, as far as a histogram can tell
    if asymmetric:
        assert low == kth_extremes(sample, percentile)[0]


@pytest.mark.parametrize("target", [ASCEND, ASCEND_SYMMETRIC], ids=lambda target: target.name)
@pytest.mark.parametrize("sample", [HEAVY, -HEAVY, SHAPES["rectified"]], ids=["low", "high", "rectified"])
def test_a_symmetric_range_has_no_offset_and_the_step_that_was_found(target: Target, sample: Sample) -> None:
    low, high = seen(sample, asymmetric=False).range()
    assert parameters(low, high, target.activation) == (np.float32(high / 127), 0)


def test_the_larger_side_decides_the_step() -> None:
    lower, higher = seen(-HEAVY, asymmetric=False), seen(HEAVY, asymmetric=False)
    assert -lower.range()[0] / 128 == pytest.approx(lower.range()[1] / 127)
    assert -higher.range()[0] != higher.range()[1]


@given(st.permutations(range(4)), st.sampled_from([True, False]))
def test_neither_order_nor_split_changes_anything(order: list[int], asymmetric: bool) -> None:
    parts = np.split(HEAVY, 4)
    whole = seen(HEAVY, asymmetric=asymmetric).range()
    assert seen(*(parts[index] for index in order), asymmetric=asymmetric).range() == whole


def test_merging_is_seeing_both() -> None:
    one, other = seen(HEAVY[:1000]), seen(HEAVY[1000:])
    one.merge(other)
    assert one.range() == seen(HEAVY).range()


def test_a_percentile_beyond_the_tails_is_right_to_a_bin() -> None:
    sample = np.random.default_rng(2).normal(size=20 * KEPT).astype(np.float32)
    made = seen(sample, max_percentile=0.6, min_percentile=0.7)
    low, high = (float(end) for end in np.quantile(sample, [0.3, 0.6]))
    assert made._extremes() == pytest.approx((low, high), abs=2 * made.histogram.width)


def test_memory_does_not_grow() -> None:
    made = seen(np.random.default_rng(3).normal(size=50 * KEPT).astype(np.float32))
    assert made.above._values.size == made.below._values.size == KEPT


def test_a_search_has_as_many_candidates_as_amcts() -> None:
    assert seen(HEAVY).ratios.size == 61  # (1.3 - 0.7) / 0.01 is a little above 60
    assert seen(HEAVY, search_range_start=0.8, search_range_end=1.2, search_step=0.02).ratios.size == 20


@pytest.mark.parametrize("value", [0.0, 2.5, -2.5])
def test_a_constant_needs_no_search(value: float) -> None:
    sample = np.full(10, value, np.float32)
    assert seen(sample).range() == (value, value)
    scale, offset = parameters(*seen(sample, asymmetric=False).range(), ASCEND.activation)
    assert value == 0 or (scale, offset) == (np.float32(2.5 / 127), 0)


@pytest.mark.parametrize(
    "options, sentence",
    [
        ({"max_percentile": 0.5}, "max_percentile must be above 0.5 and at most 1, not 0.5"),
        ({"min_percentile": 1.5}, "min_percentile must be above 0.5 and at most 1, not 1.5"),
        ({"search_range_start": 0.0}, "not from 0.0 to 1.3 by 0.01"),
        ({"search_range_end": 0.5}, "not from 0.7 to 0.5 by 0.01"),
        ({"search_step": 0.7}, "not from 0.7 to 1.3 by 0.7"),
        ({"search_step": 0.0}, "not from 0.7 to 1.3 by 0.0"),
        ({"bits": 1}, "bits must be 2 to 12, not 1"),
    ],
)
def test_an_option_out_of_range_is_refused(options: dict[str, float], sentence: str) -> None:
    with pytest.raises(InvalidOption, match=f"observer 'ifmr': .*{sentence}"):
        IFMR.build(**options)
