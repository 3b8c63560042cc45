"""The parts of a reshape: their products are equal, whatever the sizes that are not known turn out to be."""

from __future__ import annotations

from math import prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxpress_backends.tensorflow.layout.layouts import Shape
from onnxpress_backends.tensorflow.layout.reshape_parts import Part, parts


@pytest.mark.parametrize(
    ("source", "target", "copies", "expected"),
    [
        ((2, 3, 4), (2, 12), {}, [((0,), (0,)), ((1, 2), (1,))]),
        ((None, 6, 5), (None, 2, 3, 5), {}, [((0,), (0,)), ((1,), (1, 2)), ((2,), (3,))]),
        ((7, None, 16), (7, None, 8), {}, [((0,), (0,)), ((1, 2), (1, 2))]),
        ((None, 8, None, None), (None, 8, None), {0: 0}, [((0,), (0,)), ((1,), (1,)), ((2, 3), (2,))]),
        ((None, 8, None), (None, 8, None), {}, [((0, 1, 2), (0, 1, 2))]),
        ((None, 4), (3, 4), {}, [((0,), (0,)), ((1,), (1,))]),
        ((0, 4), (0, 2, 2), {}, [((0, 1), (0, 1, 2))]),
    ],
)
def test_the_smallest(source: Shape, target: Shape, copies: dict[int, int], expected: list[Part]) -> None:
    assert parts(source, target, copies) == expected


@given(data=st.data(), factors=st.lists(st.integers(1, 4), min_size=1, max_size=6))
def test_products_are_equal(data: st.DataObject, factors: list[int]) -> None:
    """Two groupings of the same factors, with sizes hidden on both sides."""

    def side() -> list[int]:
        cuts = sorted(data.draw(st.sets(st.integers(1, len(factors)), max_size=3)))
        return [prod(factors[start:end]) for start, end in zip([0, *cuts], [*cuts, len(factors)], strict=True)]

    before, after = side(), side()
    source = tuple(None if data.draw(st.booleans()) else size for size in before)
    hidden = data.draw(st.integers(0, len(after)))
    target = tuple(None if axis == hidden else size for axis, size in enumerate(after))
    found = parts(source, target)
    assert [axis for some, _ in found for axis in some] == list(range(len(before)))
    assert [axis for _, some in found for axis in some] == list(range(len(after)))
    for some, others in found:
        assert prod(before[axis] for axis in some) == prod(after[axis] for axis in others)
