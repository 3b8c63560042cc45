from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

IMAGE, ROWS = (1, 8, 8, 4), (2, 6)
AROUND = [[0, 0], [1, 2], [2, 1], [0, 0]]

CASES: list[tuple[str, Callable[[Any, Any], Any], tuple[int, ...]]] = [
    ("BATCH_TO_SPACE_ND", lambda tf, x: tf.batch_to_space(x, [2, 2], [[0, 1], [1, 0]]), (4, 3, 3, 2)),
    ("BROADCAST_TO", lambda tf, x: tf.broadcast_to(x, (3, 2, 6)), ROWS),
    ("CONCATENATION", lambda tf, x: tf.concat([x, 2 * x], -1), ROWS),
    ("DEPTH_TO_SPACE", lambda tf, x: tf.nn.depth_to_space(x, 2), IMAGE),
    ("GATHER", lambda tf, x: tf.gather(x, [2, 0, 1], axis=1), ROWS),
    ("GATHER", lambda tf, x: tf.gather(x, tf.constant([[2, 0], [1, 1]]), axis=1, batch_dims=1), ROWS),
    ("GATHER_ND", lambda tf, x: tf.gather_nd(x, [[0, 1], [1, 5]]), ROWS),
    ("MIRROR_PAD", lambda tf, x: tf.pad(x, AROUND, "REFLECT"), IMAGE),
    ("MIRROR_PAD", lambda tf, x: tf.pad(x, AROUND, "SYMMETRIC"), IMAGE),
    ("ONE_HOT", lambda tf, x: tf.one_hot(tf.cast(tf.abs(x) * 2, tf.int32), 4), ROWS),
    ("PACK", lambda tf, x: tf.stack([x, 2 * x], 1), ROWS),
    ("PAD", lambda tf, x: tf.pad(x, AROUND), IMAGE),
    ("PADV2", lambda tf, x: tf.pad(x, AROUND, constant_values=-1.5), IMAGE),
    ("RESHAPE", lambda tf, x: tf.reshape(x, (-1, 4)), IMAGE),
    ("REVERSE_V2", lambda tf, x: tf.reverse(x, [1]), ROWS),
    ("SCATTER_ND", lambda tf, x: tf.scatter_nd([[1], [4], [1]], x, [5, 6]), (3, 6)),
    ("SLICE", lambda tf, x: tf.slice(x, [0, 1], [2, -1]), ROWS),
    ("SPACE_TO_BATCH_ND", lambda tf, x: tf.space_to_batch(x, [2, 2], [[0, 0], [2, 0]]), IMAGE),
    ("SPACE_TO_DEPTH", lambda tf, x: tf.nn.space_to_depth(x, 2), IMAGE),
    ("SPLIT", lambda tf, x: tf.split(x, 3, 1), ROWS),
    ("SPLIT_V", lambda tf, x: tf.split(x, [1, 3, 2], 1), ROWS),
    ("STRIDED_SLICE", lambda tf, x: x[:, 1:6:2], ROWS),
    ("STRIDED_SLICE", lambda tf, x: x[:, ::-1], ROWS),
    ("STRIDED_SLICE", lambda tf, x: x[:, 2], ROWS),
    ("STRIDED_SLICE", lambda tf, x: x[..., tf.newaxis, 1:], ROWS),
    ("TILE", lambda tf, x: tf.tile(x, [2, 3]), ROWS),
    ("TRANSPOSE", lambda tf, x: tf.transpose(x, [0, 2, 3, 1]), IMAGE),
    ("UNPACK", lambda tf, x: tf.unstack(x, axis=1)[2], ROWS),
    ("WHERE", lambda tf, x: tf.where(x > 0), ROWS),
]


@pytest.mark.parametrize(("code", "function", "shape"), CASES)
def test_float(tf: Any, check: Any, code: str, function: Any, shape: Any) -> None:
    check(code, lambda x: function(tf, x), shape)


@pytest.mark.parametrize("case", [0, 2, 4, 7, 11, 12, 13, 19, 21, 26])
def test_integers_are_the_same(tf: Any, check: Any, case: int) -> None:
    code, function, shape = CASES[case]
    check(code, lambda x: function(tf, x), shape, kind="int8", steps=0)


def test_an_embedding(tf: Any, check: Any) -> None:
    table = np.random.default_rng(0).standard_normal((20, 4)).astype(np.float32)
    check("GATHER", lambda x: tf.nn.embedding_lookup(table, tf.cast(tf.abs(x) * 3, tf.int32)), ROWS)


def test_shapes_that_are_computed(tf: Any, write: Any, agree: Any) -> None:
    """With an open batch the converter leaves SHAPE, FILL and RANGE in the file."""
    path = write(lambda x: x + tf.fill(tf.shape(x), 2.0) + tf.cast(tf.range(tf.shape(x)[1]), tf.float32), (None, None))
    agree(path)
