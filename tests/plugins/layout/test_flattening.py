from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxpress.testing import apply, assert_equivalent, model
from onnxpress_plugins.layout.transpose_cancelling import CANCEL_TRANSPOSES

GENERATOR = np.random.default_rng(0)
FLATTEN = {"Flatten": "f = Flatten (t)", "Reshape": "f = Reshape (t, s)", "copied": "f = Reshape (t, s0)"}
PRODUCT = {
    "MatMul": "y = MatMul (f, w)",
    "Gemm": "y = Gemm (f, w, b)",
    "turned": "y = Gemm <transB = 1> (f, v, b)",
}
HEAD = """agraph (float[N,3,4,5] x, float[60,2] w, float[2,60] v, float[2] b) => (float[N,2] y)
    <int64[2] s = {-1, 60}, int64[2] s0 = {0, -1}>"""
WEIGHTS = {
    "w": GENERATOR.standard_normal((60, 2), dtype=np.float32),
    "v": GENERATOR.standard_normal((2, 60), dtype=np.float32),
    "b": GENERATOR.standard_normal(2, dtype=np.float32),
}
X = {"x": GENERATOR.standard_normal((2, 3, 4, 5), dtype=np.float32)}


def check(original: ir.Model, *, transposes: int) -> ir.Model:
    after, _ = apply(CANCEL_TRANSPOSES, original)
    assert_equivalent(original, after, X, rtol=1e-5, atol=1e-5)
    assert sum(node.op_type == "Transpose" for node in after.graph.all_nodes()) == transposes
    return after


@pytest.mark.parametrize("flatten", FLATTEN)
@pytest.mark.parametrize("product", PRODUCT)
def test_weights_take_the_transpose_over(flatten: str, product: str) -> None:
    text = f"{HEAD} {{ r = Relu (x) t = Transpose <perm = [0, 2, 3, 1]> (r) {FLATTEN[flatten]} {PRODUCT[product]} }}"
    check(model(text, **WEIGHTS), transposes=0)


@given(perm=st.permutations([1, 2, 3]))
def test_any_order_of_axes(perm: list[int]) -> None:
    text = f"{HEAD} {{ t = Transpose <perm = {[0, *perm]}> (x) f = Flatten (t) y = MatMul (f, w) }}"
    check(model(text, **WEIGHTS), transposes=0)


def test_several_products_of_one_flatten() -> None:
    text = f"""{HEAD} {{
        t = Transpose <perm = [0, 2, 3, 1]> (x)
        f = Flatten (t)
        m = MatMul (f, w)
        g = Gemm <transB = 1> (f, v, b)
        y = Add (m, g)
    }}"""
    check(model(text, **WEIGHTS), transposes=0)


@pytest.mark.parametrize(
    "body",
    [
        "t = Transpose <perm = [0, 2, 3, 1]> (x) f = Flatten (t) n = Softmax (f) y = MatMul (n, w)",
        "t = Transpose <perm = [0, 2, 3, 1]> (x) f = Flatten (t) c = MatMul (f, w) d = ReduceSum (f) y = Add (c, d)",
        "t = Transpose <perm = [0, 2, 3, 1]> (x) f = Reshape (t, s) k = Sigmoid (w) y = MatMul (f, k)",
    ],
    ids=["something between", "another user", "computed weights"],
)
def test_what_sees_the_order_keeps_it(body: str) -> None:
    check(model(f"{HEAD} {{ {body} }}", **WEIGHTS), transposes=1)


def test_weights_that_others_use_stay() -> None:
    text = f"""{HEAD} {{
        t = Transpose <perm = [0, 2, 3, 1]> (x)
        f = Flatten (t)
        m = MatMul (f, w)
        n = ReduceSum (w)
        y = Add (m, n)
    }}"""
    check(model(text, **WEIGHTS), transposes=0)
