"""fuse-layer-norm: changes it, leaves it alone, declines with the reason, inside a subgraph, equivalence."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibrated import graph, numbers, ops
from expressions import Formula
from onnxpress.testing import apply, assert_equivalent
from onnxpress_plugins.fusion.layer_norm_fusion import FUSE_LAYER_NORM

X = "float[N,6,16] x"
MEAN = "ReduceMean<axes = [-1]>"
CENTRED = f"m = {MEAN}(x) d = Sub(x, m)"
ROOT = f"q = Mul(d, d) v = {MEAN}(q) u = Add(v, eps) s = Sqrt(u)"
INVERSE = f"{CENTRED} {ROOT} i = Reciprocal(s)"
FORMS = {
    "Keras": f"{INVERSE} f = Mul(i, g) a = Mul(x, f) n = Neg(m) c = Mul(n, f) o = Add(c, b) y = Add(a, o)",
    "Keras without beta": f"{INVERSE} f = Mul(i, g) a = Mul(x, f) n = Neg(m) c = Mul(n, f) y = Add(a, c)",
    "Keras without gamma": f"{INVERSE} a = Mul(x, i) n = Neg(m) c = Mul(n, i) o = Add(c, b) y = Add(a, o)",
    "neither": f"{INVERSE} a = Mul(x, i) n = Neg(m) c = Mul(n, i) y = Add(a, c)",
    "tf.nn.batch_normalization": f"{INVERSE} f = Mul(i, g) a = Mul(x, f) c = Mul(m, f) o = Sub(b, c) y = Add(a, o)",
    "TensorFlow 1": f"{INVERSE} f = Mul(i, g) a = Mul(d, f) y = Add(a, b)",
    "PyTorch": f"{CENTRED} q = Pow(d, two) v = {MEAN}(q) u = Add(v, eps) s = Sqrt(u) a = Div(d, s) c = Mul(a, g)"
    " y = Add(c, b)",
    "Constant nodes": f"{CENTRED} k = Constant<value = float {{2}}>() q = Pow(d, k) v = {MEAN}(q)"
    " l = Constant<value_float = 0.001>() u = Add(v, l) s = Sqrt(u) a = Div(d, s) c = Mul(a, g) y = Add(c, b)",
    "PyTorch without affine": f"{CENTRED} {ROOT} y = Div(d, s)",
    "powers": f"{CENTRED} q = Mul(d, d) v = {MEAN}(q) u = Add(eps, v) s = Pow(u, minus) a = Mul(s, d) y = Mul(g, a)",
    "centred twice": f"m = {MEAN}(x) d = Sub(m, x) e = Sub(x, m) {ROOT} a = Div(e, s) c = Mul(a, g) y = Add(c, b)",
    "mean of squares": f"{CENTRED} q = Mul(x, x) w = {MEAN}(q) n = Mul(m, m) v = Sub(w, n) u = Add(v, eps) s = Sqrt(u)"
    " a = Div(d, s) c = Mul(a, g) y = Add(c, b)",
    "without epsilon": f"{CENTRED} q = Mul(d, d) v = {MEAN}(q) s = Sqrt(v) a = Div(d, s) y = Mul(a, g)",
    "pooling for a mean": f"{CENTRED} {ROOT} a = Div(d, s) c = Mul(a, g) y = Add(c, b)".replace(
        MEAN, "GlobalAveragePool"
    ),
}
CONSTANTS = {
    "eps": np.float32(1e-3),
    "two": np.float32(2),
    "minus": np.float32(-0.5),
    "g": numbers(16, seed=3),
    "b": numbers(16, seed=4),
}


def norm(body: str, *, x: str = X, y: str = "y", **more: Any) -> ir.Model:
    constants = CONSTANTS | more
    return graph(body, x=x, y=y, **{name: n for name, n in constants.items() if re.search(rf"\b{name}\b", body)})


def after_of(made: ir.Model) -> tuple[ir.Model, dict[str, int], list[str]]:
    after, notes = apply(FUSE_LAYER_NORM, made)
    return after, notes.counts, [item.reason for item in notes.declined]


def same(before: ir.Model, after: ir.Model, *shape: int) -> None:
    """Equal up to float32 rounding: values are of size 1, and the moments are taken in another order."""
    assert_equivalent(before, after, {"x": 2 * numbers(*shape) + 1}, rtol=0, atol=5e-6)


@pytest.mark.parametrize("form", FORMS)
def test_every_spelling_becomes_one_node(form: str) -> None:
    made = norm(FORMS[form])
    after, counts, declined = after_of(made)
    assert ops(after) == {"LayerNormalization": 1}
    assert (counts, declined) == ({"LayerNormalization made of small operators": 1}, [])
    node = after.graph[0]
    assert (node.name, node.attributes.get_int("axis")) == ("y", 2)
    assert node.attributes.get_float("epsilon") == pytest.approx(0 if form == "without epsilon" else 1e-3)
    assert len(node.inputs) == 2 + bool(re.search(r"\bb\b", FORMS[form]))
    same(made, after, 2, 6, 16)


@given(st.data())
def test_any_order_of_its_factors_and_terms(data: st.DataObject) -> None:
    made = data.draw(formulas())
    after, counts, _ = after_of(made)
    assert ops(after) == {"LayerNormalization": 1}
    assert counts == {"LayerNormalization made of small operators": 1}
    same(made, after, 2, 6, 16)


@st.composite
def formulas(draw: st.DrawFn) -> ir.Model:
    """Layer normalisation of x in some spelling."""
    f = Formula(draw)
    mean = f.op("ReduceMean", "x", attributes="<axes = [2]>")
    centred = f.difference("x", mean)
    square = f.op("Pow", centred, f.number(2)) if f.choice() else f.product(centred, f.difference("x", mean))
    variance = f.total(f.op("ReduceMean", square, attributes="<axes = [-1]>"), f.number(1e-3))
    gamma, beta = f.number(CONSTANTS["g"]), f.number(CONSTANTS["b"])
    if f.choice():
        return f.model(f.total(f.op("Div", f.product(centred, gamma), f.op("Sqrt", variance)), beta), X)
    inverse = f.op("Pow", variance, f.number(-0.5)) if f.choice() else f.op("Reciprocal", f.op("Sqrt", variance))
    if f.choice():
        return f.model(f.total(f.product(centred, inverse, gamma), beta), X)
    factor = f.product(inverse, gamma)
    again = f.op("ReduceMean", "x", attributes="<axes = [-1]>") if f.choice() else mean
    shift = f.op("Neg", f.product(again, factor))
    terms = [f.total(shift, beta)] if f.choice() else [shift, beta]
    return f.model(f.total(f.product("x", factor), *terms), X)


def test_several_last_axes() -> None:
    body = FORMS["Keras"].replace("[-1]", "[1, 2]")
    made = norm(body, g=numbers(1, 6, 16), b=numbers(6, 1, seed=1))
    after, _, _ = after_of(made)
    node = after.graph[0]
    assert [value.shape for value in node.inputs if value is not None] == [["N", 6, 16], [6, 16], [6, 16]]
    assert node.attributes.get_int("axis") == 1
    same(made, after, 2, 6, 16)


@pytest.mark.parametrize("form", ["Keras", "PyTorch"])
def test_other_axes_are_brought_to_the_end_and_back(form: str) -> None:
    made = norm(FORMS[form].replace("[-1]", "[1]"), x="float[N,4,5,6] x", g=numbers(4, 1, 1), b=numbers(1, 4, 1, 1))
    after, counts, _ = after_of(made)
    assert [node.op_type for node in after.graph] == ["Transpose", "LayerNormalization", "Transpose"]
    assert [node.attributes.get_ints("perm") for node in after.graph] == [(0, 2, 3, 1), None, (0, 3, 1, 2)]
    assert counts == {"LayerNormalization made of small operators": 1}
    same(made, after, 2, 4, 5, 6)


def test_constants_behind_it_become_part_of_it() -> None:
    made = norm(f"{FORMS['PyTorch']} z = Mul(y, two) w = Add(b, z)", y="w")
    after, _, _ = after_of(made)
    assert [node.name for node in after.graph] == ["w"]
    same(made, after, 2, 6, 16)


def test_constants_that_differ_by_another_axis_stay_behind_it() -> None:
    made = norm(f"{FORMS['PyTorch']} z = Add(y, p)", y="z", p=numbers(6, 16))
    after, _, _ = after_of(made)
    assert [node.op_type for node in after.graph] == ["LayerNormalization", "Add"]
    same(made, after, 2, 6, 16)


def test_a_computed_scale_stays_behind_it() -> None:
    made = norm(f"{CENTRED} {ROOT} a = Div(d, s) k = Sigmoid(x) y = Mul(a, k)")
    after, _, _ = after_of(made)
    assert ops(after) == {"LayerNormalization": 1, "Sigmoid": 1, "Mul": 1}
    same(made, after, 2, 6, 16)


def test_two_normalisations_may_share_their_moments() -> None:
    second = "f2 = Mul(i, g2) a2 = Mul(x, f2) n2 = Neg(m) c2 = Mul(n2, f2) z = Add(a2, c2)"
    made = norm(f"{FORMS['Keras']} {second}", y="y, z", g2=numbers(16, seed=7))
    after, counts, _ = after_of(made)
    assert (ops(after), counts) == ({"LayerNormalization": 2}, {"LayerNormalization made of small operators": 2})
    same(made, after, 2, 6, 16)


def test_one_behind_another() -> None:
    second = f"""m2 = {MEAN}(y) d2 = Sub(y, m2) q2 = Mul(d2, d2) v2 = {MEAN}(q2) u2 = Add(v2, eps)
        s2 = Sqrt(u2) z = Div(d2, s2)"""
    made = norm(f"{FORMS['Keras']} {second}", y="z")
    after, counts, _ = after_of(made)
    assert [[value.name for value in node.inputs[:1] if value is not None] for node in after.graph] == [["x"], ["y"]]
    assert counts == {"LayerNormalization made of small operators": 2}
    same(made, after, 2, 6, 16)


def test_float16() -> None:
    constants = {name: np.asarray(n, np.float16) for name, n in CONSTANTS.items()}
    made = norm(FORMS["Keras"], x="float16[N,6,16] x", **constants)
    after, _, _ = after_of(made)
    assert ops(after) == {"LayerNormalization": 1}
    inputs = {"x": numbers(2, 6, 16).astype(np.float16)}
    assert_equivalent(made, after, inputs, rtol=0, atol=2e-2)  # the small operators round to 1e-3 at every step


def test_other_models_are_left_alone() -> None:
    made = norm(f"m = {MEAN}(x) s = Sigmoid(m) y = Mul(x, s)")
    after, counts, declined = after_of(made)
    assert (ops(after), counts, declined) == (ops(made), {}, [])


UNUSED = "no gamma * (x - mean) / sqrt(variance + epsilon) + beta is made of its moments"
VARIES = "its scale or shift varies otherwise than along the axes that are normalised"
DECLINED = {
    "epsilon is added to the deviation": (
        f"{CENTRED} q = Mul(d, d) v = {MEAN}(q) s = Sqrt(v) u = Add(s, eps) y = Div(d, u)",
        UNUSED,
    ),
    "not centred": (f"{INVERSE} a = Mul(x, i) y = Mul(a, g)", UNUSED),
    "a scale by another axis": (FORMS["Keras"].replace("g)", "k)"), VARIES),
}


@pytest.mark.parametrize("case", DECLINED)
def test_it_declines_with_the_reason(case: str) -> None:
    body, reason = DECLINED[case]
    made = norm(body, k=numbers(6, 1))
    after, counts, declined = after_of(made)
    assert (ops(after), counts, declined) == (ops(made), {}, [reason])


def test_what_is_used_elsewhere_too_is_declined() -> None:
    made = norm(f"{FORMS['Keras']} z = Relu(s)", y="y, z")
    after, counts, declined = after_of(made)
    assert (ops(after), counts) == (ops(made), {})
    assert declined == ["the result of Sqrt 's', inside it, is used elsewhere too"]
    _, counts, declined = after_of(norm(FORMS["Keras"], y="y, m"))
    assert (counts, declined) == ({}, ["the result of ReduceMean 'm', inside it, is used elsewhere too"])


def test_unknown_sizes_and_other_types_are_declined() -> None:
    _, _, declined = after_of(norm(FORMS["neither"], x="float[N,6,C] x"))
    assert declined == ["the sizes of 'x' that are normalised together are not all known"]
    _, _, declined = after_of(norm(FORMS["neither"], x="double[N,6,16] x", eps=np.float64(1e-3)))
    assert declined == ["'x' is not float32 or float16"]


def test_inside_a_subgraph() -> None:
    inner = re.sub(r"\bx\b", "h", FORMS["Keras"]).replace("y = ", "r = ")
    body = f"""h = Relu(x) y = If (flag) <
        then_branch = yes () => (float[N,6,16] r) {{ {inner} }},
        else_branch = no () => (float[N,6,16] s) {{ s = Relu(h) }}>"""
    made = norm(body, x="float[N,6,16] x, bool flag", y="float[N,6,16] y")
    after, counts, _ = after_of(made)
    assert ops(after) == {"Relu": 2, "If": 1, "LayerNormalization": 1}
    assert counts == {"LayerNormalization made of small operators": 1}
    assert_equivalent(made, after, {"x": numbers(2, 6, 16), "flag": np.array(True)}, rtol=0, atol=5e-6)
