"""The outermost values are exact, in whatever order and pieces they come."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distributions import Sample
from onnxpress_plugins.quantization.observers.tails import KEPT, Tail

VALUES = np.random.default_rng(6).normal(size=3 * KEPT).astype(np.float32)


def tail(*parts: Sample) -> Tail:
    made = Tail()
    for part in parts:
        made.add(part)
    return made


@pytest.mark.parametrize("rank", [1, 2, 100, KEPT])
def test_every_rank_that_is_kept_is_exact(rank: int) -> None:
    assert tail(VALUES).largest(rank) == float(np.sort(VALUES)[-rank])


def test_a_rank_that_is_not_kept_is_not_known() -> None:
    assert tail(VALUES).largest(KEPT + 1) is None


def test_beyond_all_that_is_above_zero_there_is_zero() -> None:
    few = tail(np.array([-3, 2, 0, 1], np.float32))
    assert [few.largest(rank) for rank in (1, 2, 3, 9)] == [2, 1, 0, 0]
    assert tail().largest(1) == 0


@given(st.lists(st.integers(0, VALUES.size), max_size=5), st.randoms())
def test_neither_order_nor_pieces_matter(cuts: list[int], random: object) -> None:
    parts = np.split(VALUES, sorted(cuts))
    random.shuffle(parts)  # type: ignore[attr-defined]
    pieces, whole = tail(*parts), tail(VALUES)
    assert [pieces.largest(rank) for rank in (1, 7, KEPT)] == [whole.largest(rank) for rank in (1, 7, KEPT)]


def test_merging_is_seeing_both() -> None:
    one = tail(VALUES[:5000])
    one.merge(tail(VALUES[5000:]))
    assert one.largest(KEPT) == tail(VALUES).largest(KEPT)
