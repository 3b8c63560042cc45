"""The parts of a tensor are recognised if they are all of it, in order, whatever cuts it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibrated import graph
from onnxpress_plugins.folding.affine import Obstacle
from onnxpress_plugins.grouping.channel_parts import is_cut, source


@given(st.lists(st.integers(1, 3), min_size=1, max_size=4), st.booleans(), st.integers(0, 3), st.randoms())
def test_slices_that_follow_each_other(sizes: list[int], open_end: bool, gap: int, order: object) -> None:
    total, ends = sum(sizes), np.cumsum(sizes).tolist()
    starts = [0, *ends[:-1]]
    if open_end:
        ends[-1] = 2**31 - 1
    if gap and len(starts) > 1:
        starts[1] += 1  # a channel is left out, or one is taken from the next
    constants = {
        f"{kind}{n}": np.array([place]) for kind, all in (("s", starts), ("e", ends)) for n, place in enumerate(all)
    }
    body = " ".join(f"p{n} = Slice(x, s{n}, e{n}, one)" for n in range(len(sizes)))
    made = graph(
        f"{body} y = Concat<axis = 1>({', '.join(f'p{n}' for n in range(len(sizes)))})",
        x=f"float[N,{total},2] x",
        one=np.array([1]),
        **constants,
    )
    parts = [node.outputs[0] for node in list(made.graph)[:-1]]
    if gap and len(sizes) > 1:
        with pytest.raises(Obstacle, match=r"^the branches do not take all of 'x', in order, along axis 1$"):
            source(parts, 1)
    else:
        assert source(parts, 1) is made.graph.inputs[0]


def test_all_outputs_of_a_split() -> None:
    made = graph("a, b = Split<axis = -3>(x, sizes) c = Relu(a) y = Concat<axis = 1>(c, b)", sizes=np.array([1, 3]))
    split, relu, _ = made.graph
    a, b = split.outputs
    assert is_cut(split) and not is_cut(relu) and not is_cut(None)
    assert source([a, b], 1) is made.graph.inputs[0]
    assert source([relu.outputs[0], b], 1) is None
    for parts, axis in (([b, a], 1), ([a], 1), ([a, b], 2), ([a, a], 1)):
        with pytest.raises(Obstacle):
            source(parts, axis)
