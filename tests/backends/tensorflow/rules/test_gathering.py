"""Gather, GatherElements, GatherND against onnxruntime, indices negative and positive, sizes known and unknown."""

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
UNKNOWN = st.sampled_from([(), ("x",), ("i",), ("x", "i")])


def indices(data: st.DataObject, shape: list[int], size: int) -> np.ndarray:
    rng = np.random.default_rng(data.draw(st.integers(0, 9)))
    return rng.integers(-size, size, shape).astype(data.draw(st.sampled_from([np.int32, np.int64])))


@FEW
@given(axis=st.integers(-3, 2), shape=st.lists(st.integers(1, 3), max_size=2), unknown=UNKNOWN, data=st.data())
def test_gather(agree: Agree, axis: int, shape: list[int], unknown: tuple[str, ...], data: st.DataObject):
    x = normal(4, 5, 6)
    known = data.draw(st.booleans())
    inputs = {"x": x, "i": indices(data, shape, x.shape[axis])}
    node = case("Gather", inputs, constants=["i"] * known, unknown=unknown, axis=axis)
    agree(node.model, node.feeds)


@FEW
@given(axis=st.integers(-3, 2), less=st.booleans(), unknown=UNKNOWN, data=st.data())
def test_gather_elements(agree: Agree, axis: int, less: bool, unknown: tuple[str, ...], data: st.DataObject):
    x = normal(4, 5, 6)
    shape = [size - less for size in x.shape]
    shape[axis] = data.draw(st.integers(1, 8))
    node = case("GatherElements", {"x": x, "i": indices(data, shape, x.shape[axis])}, unknown=unknown, axis=axis)
    agree(node.model, node.feeds)


@FEW
@given(batch=st.integers(0, 2), depth=st.integers(1, 4), more=st.booleans(), unknown=UNKNOWN, data=st.data())
def test_gather_nd(agree: Agree, batch: int, depth: int, more: bool, unknown: tuple[str, ...], data: st.DataObject):
    x = normal(2, 3, 4, 5)
    depth = min(depth, 4 - batch)
    shape = [*x.shape[:batch], *([3] * more), depth] if batch else [3, 2, depth]
    i = np.stack([indices(data, shape[:-1], size) for size in x.shape[batch : batch + depth]], axis=-1)
    loose = tuple(name for name in unknown if name == "x" or len(shape) != 2)
    if shape[-1] != depth or "i" in loose:
        loose = tuple(name for name in loose if name != "i")
    node = case("GatherND", {"x": x, "i": i.astype(np.int64)}, unknown=loose, batch_dims=batch)
    agree(node.model, node.feeds)


def test_gather_nd_by_tuples_of_unknown_length_is_refused(agree: Agree):
    text = "agraph (float[4,5] x, int64[3,k] i) => (float y) { y = GatherND(x, i) }"
    parsed = model(text)
    parsed.graph.outputs[0].shape = None
    with pytest.raises(UnsupportedModel, match="the last size of the indices must be known"):
        agree(parsed, {"x": normal(4, 5), "i": np.array([[0], [1], [2]])})


@pytest.mark.parametrize(
    ("indices_", "gathers"), [("[3, 0]", {"GatherV2"}), ("[3, -1]", {"GatherV2"})], ids=["positive", "negative"]
)
def test_layouts_are_kept(agree_on_image: Agree, indices_: str, gathers: set[str]):
    ops = agree_on_image(f"i = Constant<value_ints = {indices_}>() d = Gather<axis = 1>(c, i)")
    assert set(ops) - {"Placeholder", "Const"} == gathers


def test_rows_that_match_are_a_batched_gather(agree: Agree):
    text = """agraph (float[2,3,4,5] x, int64[2,1,4,5] i) => (float[2,1,4,5] y) {
        c = Transpose<perm = [0, 2, 3, 1]>(x) l = LogSoftmax<axis = -1>(c) p = Transpose<perm = [0, 3, 1, 2]>(l)
        y = GatherElements<axis = 1>(p, i) }"""
    feeds = {"x": normal(2, 3, 4, 5), "i": np.random.default_rng(0).integers(0, 3, (2, 1, 4, 5))}
    assert agree(text, feeds).count("GatherV2") == 1


@pytest.mark.parametrize(
    ("body", "wraps"),
    [
        ("i = ArgMax<keepdims = 0, axis = 1>(x)", 0),
        ("a = ArgMax<axis = 1>(x) i = Cast<to = 6>(a)", 0),
        ("a = ArgMax<axis = 1>(x) i = Mod(a, size)", 1),
        ("a = ArgMax<axis = 1>(x) i = Sub(a, size)", 1),
    ],
)
def test_places_are_not_wrapped_again(agree: Agree, body: str, wraps: int):
    kind = "float[2,k,3]" if "axis = 1>(x) " in body else "float[2,3]"
    text = f"agraph (float[2,3] x, float[3,3] w) => ({kind} y) <int64 size = {{3}}> {{ {body} y = Gather(w, i) }}"
    assert agree(text, {"x": normal(2, 3), "w": normal(3, 3, seed=1)}).count("FloorMod") == wraps
