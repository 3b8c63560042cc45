"""The layer normalisation of tf-keras, as tf2onnx writes it, becomes one node; what only looks like it does not."""

from __future__ import annotations

import re

import numpy as np
import onnx_ir as ir
import pytest

from calibrated import graph, numbers, ops
from onnxpress.testing import apply, assert_equivalent
from onnxpress_plugins.fusion.layer_norm_fusion import FUSE_LAYER_NORM

AXES = "<axes = [0, 2, 3], keepdims = {}>"
VIEW = "w = Reshape(x, view)"
MOMENTS = f"""m = ReduceMean{AXES.format(1)}(w) mean = Squeeze(m, singles) d = Sub(w, m)
    q = ReduceSumSquare{AXES.format(0)}(d) variance = Div(q, count)"""
NORMALISE = "t = BatchNormalization<epsilon = 0.001>(w, one, zero, mean, variance) h = Reshape(t, back)"
AFFINE = "c = Mul(h, gamma) y = Add(c, beta)"
FIXED = f"{VIEW} {MOMENTS} {NORMALISE} {AFFINE}"
DYNAMIC = f"{VIEW} one = Expand(unit, rows) zero = Expand(nil, rows) {MOMENTS} {NORMALISE} {AFFINE}"
ROWS = "e = Shape(x) f = Slice(e, k0, k2) r = ReduceProd<axes = [0]>(f) rows = Identity(r)"

CONSTANTS = {
    "view": np.array([1, -1, 16, 1]),
    "singles": np.array([0, 2, 3]),
    "count": np.float32(16),
    "one": np.ones(12, np.float32),
    "zero": np.zeros(12, np.float32),
    "unit": np.ones(1, np.float32),
    "nil": np.zeros(1, np.float32),
    "k0": np.array([0]),
    "k2": np.array([2]),
    "back": np.array([-1, 6, 16]),
    "gamma": numbers(16, seed=3),
    "beta": numbers(16, seed=4),
}


def normalised(body: str, *, x: str = "float[2,6,16] x", y: str = "y", **more: np.ndarray | np.float32) -> ir.Model:
    used = {
        name: np.asarray(array)
        for name, array in (CONSTANTS | more).items()
        if re.search(rf"\b{name}\b", body) and f"{name} = " not in body
    }
    return graph(body, x=x, y=y, **used)


@pytest.mark.parametrize(
    ("body", "x"), [(FIXED, "float[2,6,16] x"), (f"{ROWS} {DYNAMIC}", "float[N,6,16] x")], ids=["fixed", "dynamic"]
)
def test_it_becomes_one_node(body: str, x: str) -> None:
    made = normalised(body, x=x)
    after, notes = apply(FUSE_LAYER_NORM, made)
    assert (ops(after), notes.declined) == ({"LayerNormalization": 1}, [])
    node = after.graph[0]
    assert (node.attributes.get_int("axis"), len(node.inputs)) == (2, 3)
    assert_equivalent(made, after, {"x": 2 * numbers(2, 6, 16) + 1}, rtol=0, atol=5e-6)


def test_over_several_axes() -> None:
    made = normalised(
        FIXED,
        view=np.array([1, 2, 96, 1]),
        count=np.float32(96),
        one=np.ones(2, np.float32),
        zero=np.zeros(2, np.float32),
    )
    after, _ = apply(FUSE_LAYER_NORM, made)
    assert [node.attributes.get_int("axis") for node in after.graph] == [1]
    assert_equivalent(made, after, {"x": numbers(2, 6, 16)}, rtol=0, atol=5e-6)


LOOKALIKES = {
    "a scale of its own": (FIXED, {"one": np.full(12, 2, np.float32)}),
    "a shift of its own": (FIXED, {"zero": np.ones(12, np.float32)}),
    "another divisor": (FIXED, {"count": np.float32(15)}),
    "other moments": (FIXED.replace("d = Sub(w, m)", "d = Add(w, m)"), {}),
    "the mean of another tensor": (FIXED.replace("m = R", "n = Neg(w) m = R").replace("1>(w)", "1>(n)"), {}),
    "rows that part an axis": (FIXED, {"view": np.array([1, 24, 8, 1]), "count": np.float32(8)}),
    "another shape behind it": (FIXED, {"back": np.array([-1, 3, 2, 16])}),
}


@pytest.mark.parametrize("case", LOOKALIKES)
def test_what_is_something_else_is_left_alone(case: str) -> None:
    body, constants = LOOKALIKES[case]
    if case == "rows that part an axis":
        constants = constants | {"one": np.ones(24, np.float32), "zero": np.zeros(24, np.float32)}
    made = normalised(body, y="y", **constants)
    after, notes = apply(FUSE_LAYER_NORM, made)
    assert (ops(after), notes.counts, notes.declined) == (ops(made), {}, [])


def test_what_is_used_elsewhere_too_is_declined() -> None:
    _, notes = apply(FUSE_LAYER_NORM, normalised(FIXED, y="y, mean"))
    assert [item.reason for item in notes.declined] == [
        "the result of Squeeze 'mean', inside it, is used elsewhere too"
    ]
