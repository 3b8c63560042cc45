"""If: what the branches give in one layout and type, values of outer graphs, conditions that are known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from onnxpress.testing import model

Agree = Callable[..., list[str]]

X = np.arange(4, dtype=np.float32)
BRANCHES = """
    y, z = If (c) <
        then_branch = t () => (float[4] a, float[4] b) { a = Add(x, w)  b = Identity(x) },
        else_branch = e () => (float[4] d, float[4] f) { d = Sub(x, w)  f = Mul(d, d) }
    >
"""


@pytest.mark.parametrize("shape", ["", "[1]"])
@pytest.mark.parametrize("condition", [True, False])
def test_either_branch(agree: Agree, shape: str, condition: bool):
    text = (
        f"agraph (float[4] x, bool{shape} c) => (float[4] y, float[4] z) <float[4] w = {{1, 2, 3, 4}}> {{ {BRANCHES} }}"
    )
    ops = agree(text, {"x": X, "c": np.full((1,) if shape else (), condition)})
    assert "StatelessIf" in ops


@pytest.mark.parametrize("condition", [0, 1])
def test_a_known_condition_leaves_one_branch(agree: Agree, condition: int):
    text = (
        "agraph (float[4] x) => (float[4] y, float[4] z) "
        f"<float[4] w = {{1, 2, 3, 4}}, bool c = {{{condition}}}> {{ {BRANCHES} }}"
    )
    ops = agree(text, {"x": X})
    assert "StatelessIf" not in ops
    assert ("AddV2" in ops) == bool(condition)


def test_a_constant_and_a_value_of_the_graph_around_are_outputs(agree: Agree):
    text = """agraph (float[4] x, bool c) => (float[4] y) <float[4] w = {1, 2, 3, 4}> {
        y = If (c) <
            then_branch = t () => (float[4] a) { a = Identity(w) },
            else_branch = e () => (float[4] b) { b = Identity(x) }
        >
    }"""
    for condition in (True, False):
        agree(text, {"x": X, "c": np.array(condition)})


def test_branches_of_different_shapes(agree: Agree):
    text = """agraph (float[n,4] x, bool c) => (float[m,k] y) {
        y = If (c) <
            then_branch = t () => (float[n,8] a) { a = Concat<axis = 1>(x, x) },
            else_branch = e () => (float[n,4] b) { b = Relu(x) }
        >
    }"""
    for condition in (True, False):
        agree(text, {"x": X[None], "c": np.array(condition)})


def test_one_branch_in_another(agree: Agree):
    text = """agraph (float[4] x, bool c, bool d) => (float[4] y) <float[4] w = {1, 2, 3, 4}> {
        h = Mul(x, w)
        y = If (c) <
            then_branch = t () => (float[4] a) {
                a = If (d) <
                    then_branch = tt () => (float[4] aa) { aa = Add(h, w) },
                    else_branch = te () => (float[4] ab) { ab = Sub(x, h) }
                >
            },
            else_branch = e () => (float[4] b) { b = Neg(h) }
        >
    }"""
    for conditions in ((True, True), (True, False), (False, True)):
        agree(text, {"x": X, **dict(zip("cd", map(np.array, conditions), strict=True))})


def test_images_go_through_with_their_channels_last(agree: Agree):
    kernel = np.random.default_rng(0).standard_normal((3, 3, 3, 3)).astype(np.float32)
    x = np.random.default_rng(1).standard_normal((2, 6, 6, 3)).astype(np.float32)
    text = """agraph (float[2,6,6,3] x, bool c, float[3,3,3,3] w) => (float[2,6,6,3] y) {
        h = Transpose<perm = [0, 3, 1, 2]>(x)
        i = If (c) <
            then_branch = t () => (float[2,3,6,6] a) { a = Conv<pads = [1, 1, 1, 1]>(h, w) },
            else_branch = e () => (float[2,3,6,6] b) { b = Identity(h) }
        >
        y = Transpose<perm = [0, 2, 3, 1]>(i)
    }"""
    for condition in (True, False):
        assert "Transpose" not in agree(model(text, w=kernel), {"x": x, "c": np.array(condition)})
