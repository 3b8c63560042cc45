from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from onnxpress.data.feeding import batches
from onnxpress.data.fitting import Chunk
from onnxpress.kinds import Port

X = Port(name="x", dtype="float32", shape=("N", 2))
TABLE = Port(name="t", dtype="int64", shape=(3, 1))


@given(st.lists(st.integers(0, 7), min_size=1, max_size=6), st.integers(1, 9))
def test_every_sample_arrives_once_in_order_whatever_the_chunks(sizes: list[int], batch: int) -> None:
    rows = np.arange(2 * sum(sizes), dtype=np.float32).reshape(-1, 2)
    edges = np.cumsum([0, *sizes])
    chunks = [Chunk({"x": rows[low:high]}, "test") for low, high in pairwise(edges)]
    feeds = list(batches(chunks, [X], batch))
    assert all(len(feed["x"]) == batch for feed in feeds[:-1])
    assert all(0 < len(feed["x"]) <= batch for feed in feeds)
    np.testing.assert_array_equal(np.concatenate([rows[:0], *(feed["x"] for feed in feeds)]), rows)


def test_inputs_with_their_own_fixed_first_dimension_advance_together() -> None:
    fixed = Port(name="x", dtype="float32", shape=(2, 2))
    chunk = Chunk({"x": np.zeros((4, 2), np.float32), "t": np.arange(6).reshape(6, 1)}, "test")
    feeds = list(batches([chunk], [fixed, TABLE], 1))
    assert [feed["t"].ravel().tolist() for feed in feeds] == [[0, 1, 2], [3, 4, 5]]
    assert [feed["x"].shape for feed in feeds] == [(2, 2), (2, 2)]
