from __future__ import annotations

import numpy as np
import pytest

from models.edges import agreement


def test_maps_agree_with_themselves() -> None:
    maps = np.random.default_rng(0).random((3, 8, 8, 1), np.float32)
    found = agreement(maps, maps)
    assert (found.error, found.overlap) == (0, 1)
    assert found.correlation == pytest.approx(1)


def test_the_overlap_is_what_both_call_an_edge_over_what_either_does() -> None:
    expected, found = np.zeros((2, 1, 1, 4, 1), np.float32)
    expected[..., :3, 0], found[..., 1:, 0] = 0.9, 0.6
    made = agreement(expected, found)
    assert made.overlap == 2 / 4
    assert made.error == pytest.approx((0.9 + 0.3 + 0.3 + 0.6) / 4)


def test_a_picture_without_an_edge_does_not_count() -> None:
    expected = np.zeros((2, 2, 2, 1), np.float32)
    expected[0, 0] = 0.8
    found = expected.copy()
    found[0, 0, 0], found[1] = 0.1, 0.4
    assert agreement(expected, found) == agreement(expected[:1], found[:1])
    assert agreement(expected, found).overlap == 0.5
