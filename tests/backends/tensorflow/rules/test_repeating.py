"""Tile and Expand, by numbers that are known or computed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from one_node import FEW, case, normal

Agree = Callable[..., list[str]]


@FEW
@given(repeats=st.lists(st.integers(0, 3), min_size=3, max_size=3), known=st.booleans(), unknown=st.booleans())
def test_tile(agree: Agree, repeats: list[int], known: bool, unknown: bool):
    inputs = {"x": normal(2, 3, 1), "n": np.array(repeats)}
    node = case("Tile", inputs, constants=["n"] * known, unknown=["x"] * unknown)
    agree(node.model, node.feeds)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16", "uint32", "uint64", "int32", "float64", "bool"])
def test_tile_of_every_type(agree: Agree, dtype: str):
    node = case("Tile", {"x": np.arange(4).astype(dtype), "n": np.array([2])})
    agree(node.model, node.feeds)


@FEW
@given(shape=st.sampled_from([[1], [3, 1], [2, 1, 1, 5], [2, 3, 4], [], [1, 4], [1, 3, 4]]), data=st.data())
def test_expand(agree: Agree, shape: list[int], data: st.DataObject):
    known, unknown = data.draw(st.booleans()), data.draw(st.booleans())
    inputs = {"x": normal(2, 3, 1) if shape[-1:] != [5] else normal(1, 2, 3, 1), "s": np.array(shape, np.int64)}
    node = case("Expand", inputs, constants=["s"] * known, unknown=["x"] * unknown)
    agree(node.model, node.feeds)


def test_layouts_are_kept(agree_on_image: Agree):
    ops = agree_on_image(
        "n = Constant<value_ints = [1, 2, 1, 3]>() t = Tile(c, n) s = Constant<value_ints = [2, 12, 4, 15]>() "
        "d = Expand(t, s)"
    )
    assert set(ops) == {"Placeholder", "Const", "Tile"}
    ops = agree_on_image("p = GlobalAveragePool(c) s = Constant<value_ints = [2, 6, 3, 5]>() d = Expand(p, s)")
    assert set(ops) == {"Placeholder", "Const", "Mean", "BroadcastTo"}
