"""Reshape, Flatten and Transpose: of constants, of sizes that are not known, through layouts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from one_node import FEW, case, normal
from onnxpress.errors import UnsupportedModel
from onnxpress.testing import model

Agree = Callable[..., list[str]]


@st.composite
def regroupings(draw: st.DrawFn) -> tuple[list[int], list[int]]:
    """A shape, and one that the same elements have: neighbours joined, axes split, ones put in."""
    shape = draw(st.lists(st.sampled_from([1, 2, 3, 4]), min_size=1, max_size=4))
    factors = [factor for size in shape for factor in {4: [2, 2], 1: [1]}.get(size, [size])]
    target: list[int] = []
    for factor in factors:
        if target and draw(st.booleans()):
            target[-1] *= factor
        else:
            target.append(factor)
    return shape, target + [1] * draw(st.integers(0, 1))


@FEW
@given(shapes=regroupings(), data=st.data())
def test_reshape_of_a_transposed_tensor(agree: Agree, shapes: tuple[list[int], list[int]], data: st.DataObject):
    shape, target = shapes
    order = data.draw(st.permutations(range(len(shape))))
    stored = [shape[order.index(axis)] for axis in range(len(shape))]
    unknown = data.draw(st.integers(0, len(target) - 1))
    sizes = [-1 if axis == unknown else size for axis, size in enumerate(target)]
    dims = ",".join(map(str, stored))
    numbers = ", ".join(map(str, sizes))
    text = (
        f"agraph (float[{dims}] x) => (float[{','.join('abcdefgh'[: len(target)])}] y) <int64[{len(target)}] s = "
        f"{{{numbers}}}> {{ c = Transpose<perm = {order}>(x) r = Relu(c) y = Reshape(r, s) }}"
    )
    agree(text, {"x": normal(*stored)})


@pytest.mark.parametrize("allow_zero", [0, 1])
def test_reshape_to_a_computed_shape(agree: Agree, allow_zero: int):
    shapes = [((2, 3, 4), (4, 3, 2, 1)), ((2, 3, 4), (-1, 6))]
    shapes += [((2, 0, 4), (3, 0, 7))] if allow_zero else [((2, 3, 4), (0, -1)), ((2, 0, 4), (0, 0, 4))]
    for shape, target in shapes:
        node = case("Reshape", {"x": normal(*shape), "s": np.array(target)}, allowzero=allow_zero)
        agree(node.model, node.feeds)


def test_zeros_of_a_constant_shape_stand_for_sizes_that_are_not_known(agree: Agree):
    text = "agraph (float[n,m,6] x) => (float[a,b,c,d] y) <int64[4] s = {0, 0, 2, 3}> { y = Reshape(x, s) }"
    assert "SelectV2" not in agree(text, {"x": normal(2, 5, 6)})


def test_a_shape_made_of_sizes_has_no_zeros_that_stand_for_others(agree: Agree):
    text = """agraph (float[n,m,6] x) => (float[a,b,c] y) <int64[1] two = {2}, int64[1] one = {1}, int64[1] zero = {0},
        int64[1] rest = {-1}> { s = Shape(x) n = Slice(s, zero, one) m = Slice(s, one, two)
        t = Concat<axis = 0>(m, n, rest) y = Reshape(x, t) }"""
    ops = agree(text, {"x": normal(2, 5, 6)})
    assert "Reshape" in ops
    assert "SelectV2" not in ops
    assert "SelectV2" in agree(
        text.replace("zero = {0}", "zero = {0}, int64[1] none = {0}").replace("(m, n, rest)", "(none, n, rest)"),
        {"x": normal(2, 5, 6)},
    )


def test_a_reshape_of_a_reshape_is_one(agree: Agree):
    text = """agraph (float[2,3,4] x) => (float[4,6] y) <int64[1] s = {-1}, int64[2] t = {4, 6}> {
        f = Reshape(x, s) y = Reshape(f, t) }"""
    assert agree(text, {"x": normal(2, 3, 4)}).count("Reshape") == 1


def test_reshape_to_a_shape_of_unknown_length_is_refused(agree: Agree):
    parsed = model("agraph (float[n,4] x, int64[k] s) => (float[a] y) { y = Reshape(x, s) }")
    parsed.graph.outputs[0].shape = None
    with pytest.raises(
        UnsupportedModel, match=r"\(Reshape, inputs \[\?, 4\], \[\?\]\): the shape of input 1 must be known"
    ):
        agree(parsed, {"x": normal(2, 4), "s": np.array([8])})


def test_reshape_by_the_sizes_of_another_tensor_is_a_constant(agree: Agree):
    text = """agraph (float[2,3,4,5] x, float[2,7] z) => (float[a,b] y) {
        n = Shape(z) zero = Constant<value = int64 {0}>() one = Constant<value = int64[1] {-1}>()
        first = Gather(n, zero) axis = Constant<value = int64[1] {0}>() row = Unsqueeze(first, axis)
        s = Concat<axis = 0>(row, one) y = Reshape(x, s) }"""
    ops = agree(text, {"x": normal(2, 3, 4, 5), "z": normal(2, 7)})
    assert sorted(ops) == ["Const", "Placeholder", "Placeholder", "Reshape"]


@pytest.mark.parametrize("axis", [0, 1, 2, 3, -1])
def test_flatten(agree: Agree, axis: int):
    for unknown in ((), ("x",)):
        node = case("Flatten", {"x": normal(2, 3, 4)}, unknown=unknown, axis=axis)
        agree(node.model, node.feeds)


def test_two_axes_joined_in_another_order_each(agree: Agree):
    text = """agraph (float[2,3,4,5] x) => (float[a,b] y) {
        a = Transpose<perm = [1, 0, 3, 2]>(x) b = Relu(a) y = Flatten<axis = 2>(b) }"""
    agree(text, {"x": normal(2, 3, 4, 5)})


@pytest.mark.parametrize("axis", [1, 2, 3])
def test_flatten_of_channels_last_with_open_sizes(agree: Agree, axis: int):
    for dims in ("n,3,4,5", "n,3,h,w"):
        text = f"""agraph (float[{dims}] x) => (float[a,b] y) {{
            p = MaxPool<kernel_shape = [2, 2]>(x) y = Flatten<axis = {axis}>(p) }}"""
        agree(text, {"x": normal(2, 3, 4, 5)})


def test_pooled_channels_need_no_transpose(agree: Agree):
    text = """agraph (float[2,5,6,4] x) => (float[a,b] y) <int64[2] axes = {2, 3}> {
        c = Transpose<perm = [0, 3, 1, 2]>(x) p = GlobalAveragePool(c) q = Squeeze(p, axes) u = Unsqueeze(q, axes)
        m = Mul(c, u) g = GlobalAveragePool(m) y = Flatten(g) }"""
    assert "Transpose" not in agree(text, {"x": normal(2, 5, 6, 4)})


def test_transpose_is_a_change_of_tag_until_something_needs_it(agree: Agree):
    text = """agraph (float[2,3,4] x) => (float[2,3,4] y) {
        a = Transpose<perm = [2, 0, 1]>(x) b = Relu(a) y = Transpose<perm = [1, 2, 0]>(b) }"""
    assert agree(text, {"x": normal(2, 3, 4)}) == ["Placeholder", "Relu"]
    assert "Transpose" in agree("agraph (float[2,3] x) => (float[3,2] y) { y = Transpose(x) }", {"x": normal(2, 3)})


def test_transpose_without_a_rank_is_refused(agree: Agree):
    parsed = model("agraph (float x) => (float y) { y = Transpose(x) }")
    parsed.graph.inputs[0].shape = None
    with pytest.raises(UnsupportedModel, match="the rank of the input must be known to reverse its axes"):
        agree(parsed, {"x": normal(2, 3)})


def test_a_size_that_is_not_known_before_and_after_need_not_be_the_same(agree: Agree):
    """[7, N, 16] to [7, 2 N, 8]: both middle sizes are unknown, and differ."""
    text = """agraph (float[N,7,16] x) => (float[7,a,8] y) {
        t = Transpose<perm = [1, 0, 2]>(x) s = Constant<value_ints = [7, -1, 8]>() y = Reshape(t, s) }"""
    agree(text, {"x": normal(3, 7, 16)})


@pytest.mark.parametrize(
    "sizes",
    [
        "s = Constant<value_ints = [0, 4, -1]>()",
        "n = Shape<end = 1>(c) k = Constant<value_ints = [4, -1]>() s = Concat<axis = 0>(n, k)",
        "n = Shape<end = 1>(x) k = Constant<value_ints = [4, -1]>() s = Concat<axis = 0>(n, k)",
    ],
)
def test_pixels_of_an_image_of_any_size_are_joined_without_a_transpose(agree: Agree, sizes: str):
    text = f"""agraph (float[N,H,W,4] x) => (float[a,b,4] y) {{
        c = Transpose<perm = [0, 3, 1, 2]>(x) {sizes} r = Reshape(c, s) y = Transpose<perm = [0, 2, 1]>(r) }}"""
    assert "Transpose" not in agree(text, {"x": normal(2, 3, 5, 4)})


def test_a_channel_shuffle_is_one_transpose(agree: Agree):
    text = """agraph (float[2,5,6,12] x) => (float[2,5,6,12] y)
    <int64[5] apart = {0, 3, 4, 5, 6}, int64[4] back = {2, 12, 5, 6}> {
        c = Transpose<perm = [0, 3, 1, 2]>(x) g = Reshape(c, apart) t = Transpose<perm = [0, 2, 1, 3, 4]>(g)
        r = Reshape(t, back) y = Transpose<perm = [0, 2, 3, 1]>(r) }"""
    assert agree(text, {"x": normal(2, 5, 6, 12)}).count("Transpose") == 1
