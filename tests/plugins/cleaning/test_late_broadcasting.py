"""An Expand goes where broadcasting does its work further on, and stays where something would see the difference."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from calibrated import graph, numbers
from onnxpress.records import Notes
from onnxpress.testing import assert_equivalent
from onnxpress.verify import verify
from onnxpress_plugins.cleaning.late_broadcasting import BroadcastLate

CONSTANTS = {"two": np.array([2, 4, 8, 8]), "k": numbers(4, 1, 1), "l": numbers(1), "more": np.array([3, 2, 4, 8, 8])}


def order(model: ir.Model) -> list[str]:
    return [node.op_type for node in model.graph.all_nodes()]


def run(body: str, y: str = "y") -> tuple[ir.Model, ir.Model, Notes]:
    before, notes = graph(body, x="float[2,4,8,8] x, float[4,8,8] z", y=y, **CONSTANTS), Notes()
    after = before.clone()
    BroadcastLate(notes)(after)
    verify(after)
    feeds = {"x": numbers(2, 4, 8, 8), "z": numbers(4, 8, 8)}
    assert_equivalent(before, after, feeds, rtol=0, atol=0)  # the same operations on the same numbers
    return before, after, notes


GONE = {
    "at once": ("e = Expand(z, two) y = Add(e, x)", ["Add"]),
    "further on": ("e = Expand(k, two) a = Neg(e) b = Mul(l, a) y = Sub(b, x)", ["Neg", "Mul", "Sub"]),
    "in two places": (
        "e = Expand(z, two) b = Cast<to = 9>(e) n = Not(b) p = Where(b, x, l) y = Where(n, p, x)",
        ["Cast", "Not", "Where", "Where"],
    ),
    "where both operands were": ("e = Expand(k, two) f = Expand(z, two) g = Add(e, f) y = Mul(g, x)", ["Add", "Mul"]),
}


@pytest.mark.parametrize(("body", "expected"), GONE.values(), ids=GONE)
def test_what_broadcasting_does_anyway(body: str, expected: list[str]) -> None:
    _, after, notes = run(body)
    assert order(after) == expected
    assert set(notes.counts) == {"Expand left to broadcasting"}


STAY = {
    "another rank": ("e = Expand(x, more) y = Neg(e)", "y"),
    "an output": ("e = Expand(z, two) y = Add(e, x)", "y, e"),
    "the result is an output": ("e = Expand(z, two) y = Neg(e)", "y"),
    "a Concat": ("e = Expand(z, two) n = Neg(e) y = Concat<axis = 0>(n, x)", "y"),
    "a sum": ("e = Expand(z, two) s = ReduceSum(e) y = Add(s, x)", "y"),
    "seen beside": ("e = Expand(z, two) s = ReduceSum(e) t = Add(s, x) y = Add(e, t)", "y"),
    "a slope": ("e = Expand(z, two) y = PRelu(e, k)", "y"),
}


@pytest.mark.parametrize(("body", "y"), STAY.values(), ids=STAY)
def test_what_would_be_seen(body: str, y: str) -> None:
    before, after, notes = run(body, y)
    assert order(after) == order(before)
    assert notes == Notes()


def test_open_sizes_are_equal_by_name_only() -> None:
    text = "s = Shape({}) e = Expand(k, s) y = Add(e, x)"
    for other, expected in (("x", ["Shape", "Add"]), ("z", ["Shape", "Expand", "Add"])):
        made = graph(text.format(other), x="float[N,4,8,8] x, float[M,4,8,8] z", k=numbers(4, 1, 1))
        made.graph[1].outputs[0].shape = ir.Shape(["N" if other == "x" else "M", 4, 8, 8])
        BroadcastLate(Notes())(made)
        assert order(made) == expected


def test_inside_a_subgraph() -> None:
    body = """e = Expand(z, two) y = If (flag) <
        then_branch = yes () => (float[2,4,8,8] p) { f = Expand(k, two) p = Add(f, x) },
        else_branch = no () => (float[2,4,8,8] q) { q = Add(e, x) }>"""
    made = graph(body, x="float[2,4,8,8] x, float[4,8,8] z, bool flag", y="float[2,4,8,8] y", **CONSTANTS)
    after = made.clone()
    BroadcastLate(Notes())(after)
    verify(after)
    assert order(after) == ["Expand", "If", "Add", "Add"]
    for flag in (True, False):
        feeds = {"x": numbers(2, 4, 8, 8), "z": numbers(4, 8, 8), "flag": np.array(flag)}
        assert_equivalent(made, after, feeds, rtol=0, atol=0)  # the same operations on the same numbers
