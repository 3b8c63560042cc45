"""Slice against onnxruntime: any bounds and steps, computed ones, axes that are not known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from one_node import FEW, case, normal

Agree = Callable[..., list[str]]
BOUNDS = st.one_of(st.integers(-7, 7), st.sampled_from([2**31 - 2, -(2**31), -(2**63)]))
TO_THE_END = {1: 2**63 - 1, -1: -(2**63)}


@FEW
@given(
    axes=st.lists(st.integers(0, 2), min_size=1, max_size=3, unique=True),
    signs=st.lists(st.booleans(), min_size=3, max_size=3),
    data=st.data(),
)
def test_any_slice(agree: Agree, axes: list[int], signs: list[bool], data: st.DataObject):
    count = len(axes)
    listed = [
        data.draw(st.lists(each, min_size=count, max_size=count))
        for each in (BOUNDS, BOUNDS, st.sampled_from([1, 2, -1, -3]))
    ]
    if data.draw(st.booleans()):
        listed[1] = [TO_THE_END[1 if step > 0 else -1] for step in listed[2]]
    named = [axis - 3 if sign else axis for axis, sign in zip(axes, signs, strict=False)]
    inputs: dict[str, Any] = {"x": normal(4, 5, 6)}
    inputs |= {name: np.array(each) for name, each in zip(["starts", "ends"], listed, strict=False)}
    inputs |= {"axes": np.array(named), "steps": np.array(listed[2])}
    constants = data.draw(st.sampled_from([(), ("axes", "steps"), ("starts", "ends", "axes", "steps"), ("starts",)]))
    node = case("Slice", inputs, constants=constants, unknown=data.draw(st.sampled_from([(), ("x",)])))
    agree(node.model, node.feeds)


def test_without_axes_and_steps_the_first_axes_are_sliced(agree: Agree):
    for constants in ((), ("s", "e")):
        node = case("Slice", {"x": normal(4, 5, 6), "s": np.array([1, 0]), "e": np.array([3, -1])}, constants=constants)
        agree(node.model, node.feeds)


def test_layouts_are_kept(agree_on_image: Agree, agree: Agree):
    ops = agree_on_image(
        "s = Constant<value_ints = [1, 0]>() e = Constant<value_ints = [3, 2]>() a = Constant<value_ints = [1, -2]>() "
        "d = Slice(c, s, e, a)"
    )
    assert set(ops) == {"Placeholder", "Const", "StridedSlice"}
    text = """agraph (float[2,4,5,6] x, int64[2] s, int64[2] e, int64[2] a) => (float[a,b,c,d] y) {
        c = Transpose<perm = [0, 3, 1, 2]>(x) p = Slice(c, s, e, a) y = Transpose<perm = [0, 2, 3, 1]>(p) }"""
    feeds = {"x": normal(2, 4, 5, 6), "s": np.array([1, 3]), "e": np.array([9, -9]), "a": np.array([-3, 2])}
    assert "Transpose" not in agree(text, feeds)
