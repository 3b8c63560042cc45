"""ScatterElements, ScatterND and TensorScatter, with every reduction."""

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
UNKNOWN = st.sampled_from([(), ("x",), ("i", "u"), ("x", "i", "u")])
REDUCTIONS = st.sampled_from(["none", "add", "mul", "max", "min"])


@FEW
@given(axis=st.integers(-3, 2), reduction=REDUCTIONS, unknown=UNKNOWN, seed=st.integers(0, 99))
def test_scatter_elements(agree: Agree, axis: int, reduction: str, unknown: tuple[str, ...], seed: int):
    rng = np.random.default_rng(seed)
    x = normal(3, 4, 5)
    shape = [2, 3, 4]
    size = x.shape[axis]
    if reduction == "none":
        i = np.argsort(rng.random([*shape, size]), axis=-1)[..., 0] * 0 + np.moveaxis(
            np.broadcast_to(rng.permutation(size)[: shape[axis]], [*np.delete(shape, axis), shape[axis]]), -1, axis
        )
        i = np.where(rng.random(shape) < 0.5, i, i - size)
    else:
        i = rng.integers(-size, size, shape)
    inputs = {"x": x, "i": i.astype(np.int64), "u": normal(*shape, seed=1)}
    node = case("ScatterElements", inputs, unknown=unknown, axis=axis, reduction=reduction)
    agree(node.model, node.feeds)


@FEW
@given(depth=st.integers(1, 3), reduction=REDUCTIONS, unknown=st.sampled_from([(), ("x",)]), seed=st.integers(0, 99))
def test_scatter_nd(agree: Agree, depth: int, reduction: str, unknown: tuple[str, ...], seed: int):
    rng = np.random.default_rng(seed)
    x = normal(3, 4, 5)
    places = rng.permutation(int(np.prod(x.shape[:depth])))[:2]
    if reduction != "none":
        places = np.append(places, places[0])
    i = np.stack(np.unravel_index(places, x.shape[:depth]), axis=-1)
    i = np.where(rng.random(i.shape) < 0.5, i, i - np.array(x.shape[:depth]))
    inputs = {"x": x, "i": i, "u": normal(len(places), *x.shape[depth:], seed=1)}
    node = case("ScatterND", inputs, unknown=unknown, reduction=reduction)
    agree(node.model, node.feeds)


def test_scatter_nd_without_axes_is_refused(agree: Agree):
    parsed = model("agraph (float[4] x, int64[2,0] i, float[2,4] u) => (float[4] y) { y = ScatterND(x, i, u) }")
    with pytest.raises(
        UnsupportedModel, match="indices of no axes replace the whole tensor; use the updates themselves"
    ):
        agree(parsed, {})


@pytest.mark.parametrize("mode", ["linear", "circular"])
def test_tensor_scatter(run_tensorflow: Callable[..., dict[str, np.ndarray]], mode: str):
    cache, update = normal(2, 3, 4, 5), normal(2, 3, 2, 5, seed=1)
    starts = np.array([1, 3 if mode == "circular" else 2])
    expected = cache.copy()
    for sample, start in enumerate(starts):
        for step in range(2):
            expected[sample, :, (start + step) % 4] = update[sample, :, step]
    for unknown in ((), ("x", "u")):
        node = case("TensorScatter", {"x": cache, "u": update, "w": starts}, unknown=unknown, opset=24, mode=mode)
        np.testing.assert_array_equal(run_tensorflow(node.model, node.feeds)["y0"], expected)


def test_layouts_are_kept(agree: Agree):
    text = """agraph (float[2,4,5,3] x, int64[2,2,5,3] i, float[2,2,5,3] u) => (float[2,4,5,3] y) {
        c = Transpose<perm = [0, 3, 1, 2]>(x) k = Transpose<perm = [0, 3, 1, 2]>(i)
        v = Transpose<perm = [0, 3, 1, 2]>(u)
        s = ScatterElements<axis = 2, reduction = "add">(c, k, v) y = Transpose<perm = [0, 2, 3, 1]>(s) }"""
    rng = np.random.default_rng(0)
    feeds = {"x": normal(2, 4, 5, 3), "i": rng.integers(-4, 4, (2, 2, 5, 3)), "u": normal(2, 2, 5, 3, seed=1)}
    assert "Transpose" not in agree(text, feeds)
