"""What a Slice takes is what numpy takes with the same bounds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibrated import graph
from onnxpress.runtime import Session
from onnxpress_plugins.grouping.slicing import bounds, takes_all

INT_MAX = 2**31 - 1


@given(st.integers(0, 6), st.sampled_from([*range(-6, 7), INT_MAX]), st.sampled_from([1, 2]), st.integers(-2, 1))
def test_bounds_are_those_of_a_slice(start: int, end: int, step: int, axis: int) -> None:
    constants = {name: np.array([number]) for name, number in (("s", start), ("e", end), ("a", axis), ("t", step))}
    made = graph("y = Slice(x, s, e, a, t)", x="float[5,5] x", **constants)
    taken = bounds(made.graph[0], 2)
    assert taken == {axis % 2: (start, end, step)}
    x = np.arange(25, dtype=np.float32).reshape(5, 5)
    index = [slice(*taken[place]) if place in taken else slice(None) for place in range(2)]
    (given,) = Session(made, threads=1).run({"x": x}).values()
    np.testing.assert_array_equal(given, x[tuple(index)])
    assert not takes_all((start, end, step), 5) or given.size == 25


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        ("Slice(x, two, four)", {0: (2, 4, 1), 1: (2, 4, 1)}),
        ("Slice(x, two, four, axes)", {1: (2, 4, 1), 0: (2, 4, 1)}),
        ("Slice(x, two, four, , two)", {0: (2, 4, 2), 1: (2, 4, 2)}),
        ("Slice(x, given, four)", None),
    ],
)
def test_what_is_left_out(node: str, expected: dict[int, tuple[int, int, int]] | None) -> None:
    constants = {"two": np.array([2, 2]), "four": np.array([4, 4]), "axes": np.array([-1, 0])}
    made = graph(f"y = {node}", x="float[5,5] x, int64[2] given", **constants)
    assert bounds(made.graph[0], 2) == expected


def test_an_end_that_means_the_end() -> None:
    assert takes_all((0, INT_MAX, 1), None) and takes_all((0, 2**63 - 1, 1), None) and takes_all((0, 5, 1), 5)
    assert not takes_all((0, 10**9, 1), None) and not takes_all((1, INT_MAX, 1), 5) and not takes_all((0, 5, 2), 5)
