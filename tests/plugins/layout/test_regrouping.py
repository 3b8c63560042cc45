"""Reshapes that join and split neighbours, in other orders."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibrated import feeds, graph, numbers, ops
from onnxpress.testing import apply, assert_equivalent
from onnxpress_plugins.layout.regrouping import blocks, regrouping
from onnxpress_plugins.layout.transpose_cancelling import CANCEL_TRANSPOSES

TO_LAST = "Transpose<perm = [0, 2, 3, 1]>"
TO_FIRST = "Transpose<perm = [0, 3, 1, 2]>"
CONV = {"w": numbers(4, 4, 1, 1)}


@given(
    parts=st.lists(st.lists(st.integers(2, 4), min_size=1, max_size=3), min_size=1, max_size=4),
    joined=st.lists(st.booleans(), min_size=4, max_size=4),
)
def test_blocks_have_as_many_elements(parts: list[list[int]], joined: list[bool]) -> None:
    before = [size for part in parts for size in part]
    sides = zip(parts, joined, strict=False)
    after = [size for part, join in sides for size in ([int(np.prod(part))] if join else part)]
    found = blocks(before, after)
    assert [axis for block in found for axis in block[0]] == list(range(len(before)))
    assert [axis for block in found for axis in block[1]] == list(range(len(after)))
    assert all(np.prod([before[a] for a in one]) == np.prod([after[a] for a in other]) for one, other in found)


def test_open_sizes_are_divided_by_what_is_known_on_either_side() -> None:
    n, h, w = (ir.SymbolicDim(name) for name in "NHW")
    assert blocks([n, h, 2, w, 4], [n, ir.SymbolicDim("H2"), w, 4]) == [
        *(([0], [0]), ([1, 2], [1]), ([3], [2]), ([4], [3])),
    ]
    assert blocks([n, h, 4, w], [n, ir.SymbolicDim(None), w]) == [([0], [0]), ([1, 2], [1]), ([3], [2])]
    assert blocks([n, 6, h], [2, ir.SymbolicDim("M")]) == [([0, 1, 2], [0, 1])]
    assert blocks([ir.SymbolicDim(None), 2, 3], [ir.SymbolicDim(None), 6]) == [([0], [0]), ([1, 2], [1])]


def test_upsampling_by_repetition() -> None:
    body = f"""a = Conv(x, w) b = {TO_LAST}(a) c = Unsqueeze(b, two) d = Tile(c, twice) e = Reshape(d, taller)
        f = {TO_FIRST}(e) y = Conv(f, w)"""
    sizes = {"two": np.array([2]), "twice": np.array([1, 1, 2, 1, 1]), "taller": np.array([-1, 16, 8, 4])}
    made = graph(body, **sizes, **CONV)
    after, _ = apply(CANCEL_TRANSPOSES, made)
    assert ops(after)["Transpose"] == 0
    assert_equivalent(made, after, feeds(made), rtol=0, atol=1e-6)


def test_a_channel_shuffle_needs_one_transpose() -> None:
    body = f"""a = Conv(x, w) b = {TO_LAST}(a) c = Reshape(b, split) d = Transpose<perm = [0, 1, 2, 4, 3]>(c)
        e = Reshape(d, joined) f = {TO_FIRST}(e) y = Conv(f, w)"""
    made = graph(body, split=np.array([-1, 8, 8, 2, 2]), joined=np.array([-1, 8, 8, 4]), **CONV)
    after, _ = apply(CANCEL_TRANSPOSES, made)
    assert [list(node.attributes.get_ints("perm") or ()) for node in after.graph if node.op_type == "Transpose"] == [
        [0, 2, 1, 3, 4]
    ]
    assert_equivalent(made, after, feeds(made), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("shape", "target", "order"),
    [
        ("float[2,3,4] x", [6, 4], (0, 2, 1)),  # takes neighbours apart
        ("float[2,3,4] x", [0, 12], (1, 2, 0)),  # 0 stands for the size at its place
        ("float[2,3,4] x", [4, 3, 2], (0, 2, 1)),  # the ranks say nothing
    ],
)
def test_declined(shape: str, target: list[int], order: tuple[int, ...]) -> None:
    made = graph("y = Reshape(x, t)", x=shape, t=np.array(target))
    assert regrouping(made.graph[0], order) is None


def test_a_zero_in_a_shape_that_is_put_together() -> None:
    body = "h = Cast<to = 7>(given) t = Concat<axis = 0>(zero, h) y = Reshape(x, t)"
    made = graph(body, x="float[2,3,4] x, float[1] given", zero=np.array([0]))
    made.graph[-1].outputs[0].shape = ir.Shape([2, 12])
    assert regrouping(made.graph[-1], (0, 2, 1)) is None and regrouping(made.graph[-1], (1, 0)) is None
