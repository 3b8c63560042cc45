from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from onnxpress.runtime import Session
from onnxpress_frontends.tensorflow_source import load

SIGNED = np.array([[-7, 7, -7, 7, 6, -6, 0], [-1, 1, 9, -9, 5, -5, 3]], np.int32)
DIVISORS = np.array([[2, 2, -2, -2, 3, 3, 4], [5, -5, 9, 4, -4, 4, -8]], np.int32)


def agree(tf: Any, function: Callable[..., Any], *arrays: Any) -> Any:
    """Convert a function, and assert that onnxruntime gives exactly what TensorFlow gives."""
    specs = [tf.TensorSpec(array.shape, array.dtype, name=f"x{index}") for index, array in enumerate(arrays)]
    traced = tf.function(function, input_signature=specs)
    model = load(traced)
    (actual,) = Session(model).run({f"x{index}": array for index, array in enumerate(arrays)}).values()
    np.testing.assert_array_equal(actual, traced(*arrays))
    return model


@pytest.mark.parametrize("dtype", ["int32", "int64", "float32"])
@pytest.mark.parametrize("name", ["floordiv", "floormod"])
def test_quotients_and_remainders_are_those_of_the_floor(tf: Any, name: str, dtype: str) -> None:
    agree(tf, getattr(tf.math, name), SIGNED.astype(dtype), DIVISORS.astype(dtype))


@pytest.mark.parametrize(("first", "second"), [(False, True), (True, False), (True, True)])
@pytest.mark.parametrize("dtype", ["int32", "float32"])
@pytest.mark.parametrize("batch", [(), (2,)])
def test_products_are_transposed(tf: Any, first: bool, second: bool, dtype: str, batch: tuple[int, ...]) -> None:
    a, b = np.random.default_rng(0).integers(-9, 9, (2, *batch, 4, 4)).astype(dtype)
    agree(tf, lambda a, b: tf.matmul(a, b, transpose_a=first, transpose_b=second), a, b)


def test_updates_of_one_place_add_up(tf: Any) -> None:
    updates = np.array([[1, 2], [3, 4], [5, 6]], np.float32)
    agree(tf, lambda updates: tf.scatter_nd([[0], [2], [0]], updates, (4, 2)), updates)


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_an_index_out_of_range_is_off(tf: Any, dtype: str) -> None:
    indices = np.array([0, 2, -1, 7, -5, 4], dtype)
    agree(tf, lambda x: tf.one_hot(x, 5, 2.0, -1.0, axis=0), indices)


def test_what_cannot_be_negative_needs_no_care(tf: Any) -> None:
    x = np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32)
    model = agree(tf, lambda x: tf.one_hot(tf.argmax(x, 1), 4), x)
    assert [node.op_type for node in model.graph] == ["ArgMax", "OneHot"]
