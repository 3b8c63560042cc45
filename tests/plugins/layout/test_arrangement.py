"""Arrangements behave as the tensors they describe."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from onnxpress_plugins.layout.arrangement import Arrangement, compose, essence, order_between, plain


@st.composite
def arrangements(draw: st.DrawFn, axes: tuple[int, ...] = (0, 1, 2)) -> Arrangement:
    places = [*draw(st.permutations(axes)), *draw(st.lists(st.none(), max_size=2))]
    return tuple(draw(st.permutations(places)))


def laid_out(numbers: np.ndarray, arrangement: Arrangement) -> np.ndarray:
    turned = numbers.transpose(essence(arrangement))
    return np.expand_dims(turned, [place for place, axis in enumerate(arrangement) if axis is None])


def test_axes_of_size_one_are_all_alike() -> None:
    assert plain([2, 1, 3, 1]) == (0, None, 2, None)
    assert plain(None) == ()


@given(inner=arrangements(), data=st.data())
def test_composed_as_tensors_are(inner: Arrangement, data: st.DataObject) -> None:
    order = tuple(data.draw(st.permutations(range(len(inner)))))
    numbers = np.arange(24).reshape(2, 3, 4)
    assert laid_out(numbers, compose(order, inner)).shape == laid_out(numbers, inner).transpose(order).shape
    np.testing.assert_array_equal(laid_out(numbers, compose(order, inner)), laid_out(numbers, inner).transpose(order))


@given(given_one=arrangements(), wanted=arrangements())
def test_the_order_between_two(given_one: Arrangement, wanted: Arrangement) -> None:
    order = order_between(given_one, wanted)
    assert sorted(order) == list(range(len(given_one)))
    made = compose(order, given_one)
    assert made == wanted if len(given_one) == len(wanted) else essence(made) == essence(wanted)
