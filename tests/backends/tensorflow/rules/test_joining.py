"""Concat and Split: along every axis, by sizes that are listed, computed or counted, in the layout that arrives."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from one_node import FEW, case, normal

Agree = Callable[..., list[str]]


@FEW
@given(axis=st.integers(-3, 2), sizes=st.lists(st.integers(0, 3), min_size=1, max_size=3), data=st.data())
def test_concat(agree: Agree, axis: int, sizes: list[int], data: st.DataObject):
    parts = {}
    for index, size in enumerate(sizes):
        shape = [2, 3, 4]
        shape[axis] = size
        parts[f"x{index}"] = normal(*shape, seed=index)
    constants = data.draw(st.sets(st.sampled_from(sorted(parts)), max_size=len(parts) - 1))
    node = case("Concat", parts, constants=sorted(constants - {"x0"}), axis=axis)
    agree(node.model, node.feeds)


@FEW
@given(
    axis=st.integers(-3, 2),
    sizes=st.lists(st.integers(0, 4), min_size=1, max_size=4),
    known=st.booleans(),
    unknown=st.sampled_from([(), ("x",)]),
)
def test_split_by_sizes(agree: Agree, axis: int, sizes: list[int], known: bool, unknown: tuple[str, ...]):
    shape = [2, 3, 4]
    shape[axis] = sum(sizes)
    inputs = {"x": np.arange(np.prod(shape), dtype=np.int64).reshape(shape), "split": np.array(sizes)}
    node = case("Split", inputs, constants=["split"] * known, unknown=unknown, outputs=len(sizes), axis=axis)
    agree(node.model, node.feeds)


@pytest.mark.parametrize("unknown", [(), ("x",)])
def test_split_into_a_number_of_parts_of_which_the_last_is_smaller(agree: Agree, unknown: tuple[str, ...]):
    for size, parts in ((6, 3), (7, 3), (8, 3)):
        x = np.arange(size * 2, dtype=np.int64).reshape(size, 2)
        node = case("Split", {"x": x}, unknown=unknown, outputs=parts, num_outputs=parts)
        agree(node.model, node.feeds)


def test_old_split(agree: Agree):
    x = np.arange(14, dtype=np.int64).reshape(2, 7)
    node = case("Split", {"x": x}, outputs=2, opset=11, axis=1, split=[3, 4])
    agree(node.model, node.feeds)
    node = case("Split", {"x": x}, outputs=2, opset=11)
    assert "SplitV" not in agree(node.model, node.feeds)


def test_layouts_are_kept(agree_on_image: Agree):
    ops = agree_on_image("a, b = Split<axis = 1>(c) r = Relu(b) d = Concat<axis = 1>(r, a, c)")
    assert set(ops) == {"Placeholder", "Const", "Split", "Relu", "ConcatV2"}
