from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

IMAGE, ROWS = (1, 8, 8, 4), (2, 6)

CASES: list[tuple[str, Callable[[Any, Any], Any], tuple[int, ...]]] = [
    ("ARG_MAX", lambda tf, x: tf.argmax(x, -1, output_type=tf.int32), ROWS),
    ("ARG_MIN", lambda tf, x: tf.argmin(x, 1), ROWS),
    ("AVERAGE_POOL_2D", lambda tf, x: tf.nn.avg_pool2d(x, 3, 2, "SAME"), IMAGE),
    ("CUMSUM", lambda tf, x: tf.cumsum(x, 1, exclusive=True), ROWS),
    ("CUMSUM", lambda tf, x: tf.cumsum(x, 1, reverse=True), ROWS),
    ("LOCAL_RESPONSE_NORMALIZATION", lambda tf, x: tf.nn.lrn(x, 2, 1.0, 0.5, 0.5), IMAGE),
    ("MAX_POOL_2D", lambda tf, x: tf.nn.max_pool2d(x, 2, 2, "VALID"), IMAGE),
    ("MEAN", lambda tf, x: tf.reduce_mean(x, [1, 2]), IMAGE),
    ("MEAN", lambda tf, x: tf.reduce_mean(x, [1, 2], keepdims=True), IMAGE),
    ("REDUCE_ALL", lambda tf, x: tf.reduce_all(x > -1, 1), ROWS),
    ("REDUCE_ANY", lambda tf, x: tf.reduce_any(x > 1, 1), ROWS),
    ("REDUCE_MAX", lambda tf, x: tf.reduce_max(x, 1), ROWS),
    ("REDUCE_MIN", lambda tf, x: tf.reduce_min(x, 1), ROWS),
    ("REDUCE_PROD", lambda tf, x: tf.reduce_prod(x, 1), ROWS),
    ("SUM", lambda tf, x: tf.reduce_sum(x, -1), ROWS),
    ("RESIZE_BILINEAR", lambda tf, x: _resized(tf, "bilinear")(x, (11, 13), half_pixel_centers=True), IMAGE),
    ("RESIZE_BILINEAR", lambda tf, x: _resized(tf, "bilinear")(x, (11, 13), align_corners=True), IMAGE),
    ("RESIZE_BILINEAR", lambda tf, x: _resized(tf, "bilinear")(x, (16, 16)), IMAGE),
    ("RESIZE_NEAREST_NEIGHBOR", lambda tf, x: _resized(tf, "nearest_neighbor")(x, (5, 7)), IMAGE),
    ("RESIZE_NEAREST_NEIGHBOR", lambda tf, x: _centred(tf, x), IMAGE),
    ("TOPK_V2", lambda tf, x: tf.math.top_k(x, 3), ROWS),
]


def _resized(tf: Any, how: str) -> Any:
    return getattr(tf.compat.v1.image, f"resize_{how}")


def _centred(tf: Any, x: Any) -> Any:
    return _resized(tf, "nearest_neighbor")(x, (16, 16), half_pixel_centers=True)


@pytest.mark.parametrize(("code", "function", "shape"), CASES)
def test_float(tf: Any, check: Any, code: str, function: Any, shape: Any) -> None:
    check(code, lambda x: function(tf, x), shape)


@pytest.mark.parametrize(("case", "share"), [(2, 0.1), (6, 0), (7, 0.5), (11, 0), (15, 0.1), (18, 0)])
def test_integers_are_at_most_one_step_off(tf: Any, check: Any, case: int, share: float) -> None:
    """What only chooses among elements gives the same; what averages may differ where it must round."""
    code, function, shape = CASES[case]
    check(code, lambda x: function(tf, x), shape, kind="int8", steps=1, share=share)
