"""Squeeze and Unsqueeze: axes that are attributes, constants, computed; sizes that are not known; layouts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from one_node import case, normal

Agree = Callable[..., list[str]]


@pytest.mark.parametrize("constants", [(), ("axes",)])
@pytest.mark.parametrize("unknown", [(), ("x",)])
def test_squeeze_and_unsqueeze(agree: Agree, constants: tuple[str, ...], unknown: tuple[str, ...]):
    for axes in ([0], [-2, 0], [1, 3]):
        node = case("Unsqueeze", {"x": normal(2, 3, 4), "axes": np.array(axes)}, constants=constants, unknown=unknown)
        agree(node.model, node.feeds)
    for axes in ([0], [0, -2], [2]):
        node = case("Squeeze", {"x": normal(1, 3, 1, 4), "axes": np.array(axes)}, constants=constants, unknown=unknown)
        agree(node.model, node.feeds)


def test_squeeze_of_all_axes_of_size_one(agree: Agree):
    for unknown in ((), ("x",)):
        node = case("Squeeze", {"x": normal(1, 3, 1, 4)}, unknown=unknown)
        agree(node.model, node.feeds)


def test_axes_that_are_attributes(agree: Agree):
    node = case("Unsqueeze", {"x": normal(2, 3)}, opset=11, axes=[0, 3])
    agree(node.model, node.feeds)
    node = case("Squeeze", {"x": normal(2, 1, 3, 1)}, opset=11, axes=[1, 3])
    agree(node.model, node.feeds)


def test_layouts_of_tensors_of_several_unknown_sizes_are_kept(agree: Agree):
    text = """agraph (float[n,h,w,4] x) => (float[n,h,w,4] y) <int64[1] first = {0}, int64[1] last = {-1}> {
        c = Transpose<perm = [0, 3, 1, 2]>(x) r = Relu(c) u = Unsqueeze(r, last) v = Unsqueeze(u, first) t = Tanh(v)
        q = Squeeze(t, last) s = Squeeze(q, first) y = Transpose<perm = [0, 2, 3, 1]>(s) }"""
    assert "Transpose" not in agree(text, {"x": normal(2, 5, 6, 4)})
