from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from onnxpress.ascend.simulation.exact_sums import LIMIT, cut, reach


@given(st.integers(0, 2**32 - 1), st.integers(-128, 127))
def test_no_selection_of_products_passes_the_reach_and_one_attains_it(seed: int, offset: int):
    generator = np.random.default_rng(seed)
    weight = generator.integers(-128, 128, (3, 5, 2), dtype=np.int8)
    low, high = -128 - offset, 127 - offset
    bound = reach(weight, (1, 2), low, high)
    wide = weight.astype(np.int64)
    best = np.maximum(wide * low, wide * high).sum(axis=(1, 2))
    worst = np.minimum(wide * low, wide * high).sum(axis=(1, 2))
    np.testing.assert_array_equal(bound, np.maximum(best, -worst))


@given(st.integers(0, 2**32 - 1), st.integers(-128, 127), st.sampled_from([2, 600, 5000]))
def test_parts_add_up_and_are_each_within_float32(seed: int, offset: int, taps: int):
    generator = np.random.default_rng(seed)
    weight = np.concatenate(
        [generator.integers(-128, 128, (1, taps, 2)), np.full((1, taps, 2), 127), np.full((1, taps, 2), -128)]
    ).astype(np.int8)
    low, high = -128 - offset, 127 - offset
    parts = cut(weight, (1,), low, high)
    np.testing.assert_array_equal(sum(part.astype(np.int64) for part in parts), weight)
    assert all((reach(part, (1,), low, high) <= LIMIT).all() for part in parts)
    needed = reach(weight, (1,), low, high).max() / LIMIT
    assert len(parts) <= 2 * needed + 2, "hardly more than are needed"


def test_the_axes_may_stand_anywhere():
    weight = np.full((2, 40, 3, 40), 127, np.int8)
    parts = cut(weight, (1, 3), 0, 255)
    assert len(parts) == 4
    np.testing.assert_array_equal(sum(part.astype(np.int64) for part in parts), weight)
    assert all((reach(part, (1, 3), 0, 255) <= LIMIT).all() for part in parts)
