"""Positions of elements against numpy's ravel_multi_index."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from onnxpress_backends.tensorflow.geometry.positions import counted, strides
from onnxpress_backends.tensorflow.geometry.terms import Term, product, term
from onnxpress_backends.tensorflow.graphs.dtypes import DType

CALL: Any = None
SHAPES = st.lists(st.integers(1, 5), min_size=1, max_size=4)


def terms(sizes: list[int]) -> list[Term]:
    return [term(CALL, size, DType.INT64) for size in sizes]


@given(shape=SHAPES)
def test_strides_are_those_of_numpy(shape: list[int]):
    found = [int(step.known) for step in strides(terms(shape)) if step.known is not None]
    assert found == [step // 8 for step in np.zeros(shape, np.int64).strides]
    assert product(terms(shape)).known == np.prod(shape)


@given(shape=SHAPES, data=st.data())
def test_counted_and_given_indices_make_up_the_number(shape: list[int], data: st.DataObject):
    axis = data.draw(st.integers(0, len(shape) - 1))
    steps = strides(terms(shape))
    rest = counted(terms(shape), [None if each == axis else step for each, step in enumerate(steps)], len(shape))
    place = data.draw(st.integers(0, shape[axis] - 1))
    assert rest.known is not None
    numbers = np.take(np.arange(np.prod(shape)).reshape(shape), [place], axis)
    assert steps[axis].known is not None
    np.testing.assert_array_equal(np.broadcast_to(rest.known + place * steps[axis].known, numbers.shape), numbers)
