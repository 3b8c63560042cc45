"""fuse-gelu: changes it, leaves it alone, declines with the reason, inside a subgraph, equivalence."""

from __future__ import annotations

import re
from math import pi, sqrt
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibrated import feeds, graph, numbers, ops
from expressions import Formula
from onnxpress.testing import apply, assert_equivalent
from onnxpress_plugins.fusion.gelu_fusion import FUSE_GELU

CONSTANTS = {
    "half": 0.5,
    "one": 1,
    "two": 2,
    "three": 3,
    "root": sqrt(2),
    "shrink": sqrt(1 / 2),
    "outer": sqrt(2 / pi),
    "cubic": 0.044715,
    "nearly": 0.7,
}
FORMS = {
    "Keras": "h = Mul(half, x) n = Neg(x) a = Mul(n, shrink) e = Erf(a) o = Sub(one, e) y = Mul(h, o)",
    "PyTorch": "a = Div(x, root) e = Erf(a) o = Add(e, one) p = Mul(x, o) y = Mul(p, half)",
    "Constant nodes": "k = Constant<value = float {1.4142135}>() a = Div(x, k) e = Erf(a) o = Add(e, one) p = Mul(x, o)"
    " l = Constant<value_float = 0.5>() y = Mul(p, l)",
    "TensorFlow 1": "h = Mul(x, half) a = Mul(x, shrink) e = Erf(a) o = Add(one, e) y = Mul(h, o)",
    "distributed": "a = Mul(x, shrink) e = Erf(a) h = Div(x, two) t = Mul(h, e) y = Add(t, h)",
    "BERT": "p = Pow(x, three) c = Mul(cubic, p) s = Add(x, c) a = Mul(outer, s) t = Tanh(a) o = Add(one, t)"
    " h = Mul(x, half) y = Mul(h, o)",
    "GPT-2": "q = Mul(x, x) c = Mul(q, x) d = Mul(c, cubic) s = Add(d, x) a = Mul(s, outer) t = Tanh(a) o = Add(t, one)"
    " h = Mul(half, o) y = Mul(x, h)",
}
TANH = ("BERT", "GPT-2")


def gelu(body: str, *, x: str = "float[N,4,8] x", y: str = "y", dtype: str = "float32", **more: Any) -> ir.Model:
    used = {name: np.array(number, dtype) for name, number in CONSTANTS.items() if re.search(rf"\b{name}\b", body)}
    return graph(body, x=x, y=y, **used, **more)


def after_of(made: ir.Model) -> tuple[ir.Model, dict[str, int], list[str]]:
    after, notes = apply(FUSE_GELU, made)
    return after, notes.counts, [item.reason for item in notes.declined]


@pytest.mark.parametrize("form", FORMS)
def test_every_spelling_becomes_one_node(form: str) -> None:
    made = gelu(FORMS[form])
    after, counts, declined = after_of(made)
    assert (ops(after), counts, declined) == ({"Gelu": 1}, {"Gelu made of small operators": 1}, [])
    assert after.graph[0].attributes.get_string("approximate") == ("tanh" if form in TANH else "none")
    assert (after.graph[0].name, after.opset_imports[""], len(after.graph.initializers)) == ("y", 20, 0)
    assert_equivalent(made, after, {"x": 3 * numbers(2, 4, 8)}, rtol=0, atol=2e-6)


@given(st.data(), st.booleans())
def test_any_order_of_its_factors_and_terms(data: st.DataObject, exact: bool) -> None:
    made = data.draw(formulas(exact=exact))
    after, counts, _ = after_of(made)
    assert counts == {"Gelu made of small operators": 1}
    assert ops(after) == {"Gelu": 1, "Identity": 1}
    assert_equivalent(made, after, {"x": 3 * numbers(2, 4, 8)}, rtol=0, atol=2e-6)


@st.composite
def formulas(draw: st.DrawFn, *, exact: bool) -> ir.Model:
    """GELU of x in some spelling."""
    f = Formula(draw)
    sign = draw(st.sampled_from([1, -1]))
    inner = f.op("Neg", "x") if f.choice() else "x"
    flip = sign if inner == "x" else -sign
    if exact:
        curve = f.op("Erf", f.scaled(inner, flip * sqrt(1 / 2)))
    else:
        cube = f.op("Pow", inner, f.number(3)) if f.choice() else f.product(inner, inner, inner)
        curve = f.op("Tanh", f.scaled(f.total(inner, f.scaled(cube, 0.044715)), flip * sqrt(2 / pi)))
    if f.choice():
        joined = f.total if sign > 0 else f.difference
        return f.model(f.product("x", f.number(0.5), joined(f.number(1), curve)), "float[N,4,8] x")
    half = f.scaled("x", 0.5)
    return f.model(f.total(half, f.product(half, f.scaled(curve, sign))), "float[N,4,8] x")


def test_a_scaled_or_shifted_tensor_may_be_x() -> None:
    made = gelu("u = Mul(x, nearly) a = Mul(u, shrink) e = Erf(a) o = Add(e, one) p = Mul(u, o) y = Mul(p, half)")
    after, _, _ = after_of(made)
    assert ops(after) == {"Mul": 1, "Gelu": 1}
    assert_equivalent(made, after, {"x": numbers(2, 4, 8)}, rtol=0, atol=1e-6)


def test_one_behind_another() -> None:
    second = "t2 = Div(y, root) e2 = Erf(t2) o2 = Add(e2, one) p2 = Mul(y, o2) z = Mul(p2, half)"
    made = gelu(f"{FORMS['PyTorch']} {second}", y="z")
    after, counts, _ = after_of(made)
    assert [node.name for node in after.graph] == ["y", "z"] and counts == {"Gelu made of small operators": 2}
    assert_equivalent(made, after, {"x": numbers(2, 4, 8)}, rtol=0, atol=1e-6)


def test_float16() -> None:
    made = gelu(FORMS["PyTorch"], x="float16[N,4,8] x", dtype="float16")
    after, _, _ = after_of(made)
    assert ops(after) == {"Gelu": 1}
    inputs = {"x": numbers(2, 4, 8).astype(np.float16)}
    assert_equivalent(made, after, inputs, rtol=4e-3, atol=1e-3)  # float16 rounds by 5e-4, here five times


def test_other_models_are_left_alone() -> None:
    made = gelu("a = Tanh(x) b = Mul(x, half) y = Mul(a, b)")
    after, counts, declined = after_of(made)
    assert (ops(after), counts, declined) == (ops(made), {}, [])
    assert after.opset_imports[""] == 17


DECLINED = {
    "its argument is not x / sqrt(2)": "a = Mul(x, nearly) e = Erf(a) o = Add(e, one) p = Mul(x, o) y = Mul(p, half)",
    "its argument is not sqrt(2 / pi) * (x + 0.044715 * x^3)": FORMS["BERT"].replace("outer", "nearly"),
    "no x / 2 * (1 + erf(...)) is made of it": "a = Mul(x, shrink) e = Erf(a) o = Add(e, one) y = Mul(x, o)",
    "no x / 2 * (1 + tanh(...)) is made of it": FORMS["GPT-2"].replace("half", "nearly"),
}


@pytest.mark.parametrize("reason", DECLINED)
def test_it_declines_with_the_reason(reason: str) -> None:
    made = gelu(DECLINED[reason])
    after, counts, declined = after_of(made)
    assert (ops(after), counts, declined) == (ops(made), {}, [reason])


def test_what_is_used_elsewhere_too_is_declined() -> None:
    _, counts, declined = after_of(gelu(FORMS["PyTorch"] + " z = Relu(e)", y="y, z"))
    assert (counts, declined) == ({}, ["the result of Erf 'e', inside it, is used elsewhere too"])
    _, counts, declined = after_of(gelu(FORMS["PyTorch"], y="y, o"))
    assert (counts, declined) == ({}, ["the result of Add 'o', inside it, is used elsewhere too"])


def test_a_type_that_onnxruntime_does_not_run_is_declined() -> None:
    _, counts, declined = after_of(gelu(FORMS["BERT"], x="double[N,4,8] x", dtype="float64"))
    assert counts == {}
    assert declined == ["'x' is double, and onnxruntime has Gelu for float32 and float16 alone"]


def test_a_constant_that_widens_the_result_is_declined() -> None:
    made = graph(
        "a = Div(x, root) e = Erf(a) o = Add(e, one) p = Mul(x, o) y = Mul(p, half)",
        x="float[4,8] x",
        root=np.float32(sqrt(2)),
        one=np.float32(1),
        half=np.full((1, 1, 1), 0.5, np.float32),
    )
    _, counts, declined = after_of(made)
    assert (counts, declined) == ({}, ["'y' is not known to have the shape of 'x'"])


def test_inside_a_subgraph() -> None:
    inner = FORMS["Keras"].replace("y = ", "r = ")
    body = f"""b = Relu(x) y = If (flag) <
        then_branch = yes () => (float[N,4,8] r) {{ {inner.replace("x)", "b)")} }},
        else_branch = no () => (float[N,4,8] s) {{ s = Relu(b) }}>"""
    made = gelu(body, x="float[N,4,8] x, bool flag", y="float[N,4,8] y")
    after, counts, _ = after_of(made)
    assert ops(after) == {"Relu": 2, "If": 1, "Gelu": 1} and counts == {"Gelu made of small operators": 1}
    inputs = {"x": numbers(2, 4, 8), "flag": np.array(True)}
    assert_equivalent(made, after, inputs, rtol=0, atol=1e-6)


def test_calibrated_ranges_and_names_survive_the_change_of_opset() -> None:
    made = gelu(f"w = Relu(x) {FORMS['Keras'].replace('x)', 'w)').replace('y =', 'g =')} y = Sigmoid(g)")
    for node in made.graph:
        node.outputs[0].meta["tag"] = node.name
    after, _, _ = after_of(made)
    assert [(node.name, node.outputs[0].name, node.outputs[0].meta["tag"]) for node in after.graph] == [
        (name, name, name) for name in ("w", "g", "y")
    ]
    assert_equivalent(made, after, feeds(made), rtol=0, atol=1e-6)
