"""Sequences whose length is known: made, changed at known and computed places, read, split, joined, mapped."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from onnxpress.errors import UnsupportedModel
from onnxpress.testing import model

Agree = Callable[..., list[str]]

X, Y, Z = np.random.default_rng(0).standard_normal((3, 2, 3)).astype(np.float32)
FEEDS = {"x": X, "y": Y, "z": Z}
INPUTS = "float[2,3] x, float[2,3] y, float[2,3] z"
LENGTH = "n = SequenceLength(t)"
JOINED = "r = ConcatFromSequence<axis = 0>(t)"


@pytest.mark.parametrize("place", [0, 1, 3, -1, -3])
@pytest.mark.parametrize("computed", [True, False])
def test_insertion(agree: Agree, place: int, computed: bool):
    check(agree, "t = SequenceInsert(s, w, p)", place, computed=computed)


@pytest.mark.parametrize("place", [0, 1, 2, -1, -3])
@pytest.mark.parametrize("computed", [True, False])
def test_erasure(agree: Agree, place: int, computed: bool):
    check(agree, "t = SequenceErase(s, p)", place, computed=computed)


def test_the_end_is_where_no_place_is_given(agree: Agree):
    check(agree, "t = SequenceInsert(s, w)", 0)
    check(agree, "t = SequenceErase(s)", 0)


def check(agree: Agree, edit: str, place: int, *, computed: bool = False) -> None:
    known = "" if computed else f"p = Constant<value = int64 {{{place}}}>()"
    text = f"""agraph ({INPUTS}{", int64 p" if computed else ""}) => (float[a,3] r, int64 n) {{
        w = Neg(x) {known} s = SequenceConstruct(x, y, z) {edit} {JOINED} {LENGTH}
    }}"""
    agree(text, FEEDS | ({"p": np.array(place)} if computed else {}))


@pytest.mark.parametrize("place", [0, 2, -1])
def test_reading(agree: Agree, place: int):
    construct = "s = SequenceConstruct(x, y, z)"
    agree(
        f"agraph ({INPUTS}, int64 p) => (float[2,3] r) {{ {construct} r = SequenceAt(s, p) }}",
        FEEDS | {"p": np.array(place)},
    )
    known = f"p = Constant<value = int64 {{{place}}}>()"
    text = f"agraph ({INPUTS}) => (float[2,3] r) {{ {construct} {known} e = SequenceAt(s, p) r = Identity(e) }}"
    assert "TensorListGetItem" not in agree(text, FEEDS)


def test_elements_of_different_shapes(agree: Agree):
    text = """agraph (float[2,3] x, int64 p) => (float[a,3] r) {
        w = Concat<axis = 0>(x, x) e = SequenceEmpty() s = SequenceInsert(e, x) t = SequenceInsert(s, w)
        r = SequenceAt(t, p)
    }"""
    for place in (0, 1):
        agree(text, {"x": X, "p": np.array(place)})


@pytest.mark.parametrize(
    ("attributes", "sizes"),
    [("axis = 1", ""), ("axis = 1, keepdims = 0", ""), ("axis = -1", "int64 {2}"), ("axis = 1", "int64[2] {1, 2}")],
)
def test_splits_and_new_axes(agree: Agree, attributes: str, sizes: str):
    known = f"k = Constant<value = {sizes}>()" if sizes else ""
    text = f"""agraph (float[2,3] x) => (r) {{
        {known} s = SplitToSequence<{attributes}>({"x, k" if sizes else "x"})
        first = Constant<value = int64 {{0}}>() f = SequenceAt(s, first) g = SequenceInsert(s, f) t = SequenceErase(g)
        r = ConcatFromSequence<axis = 1{", new_axis = 1" if not sizes else ""}>(t)
    }}"""
    agree(text, {"x": X})


def test_sizes_that_are_computed(agree: Agree):
    text = """agraph (float[2,3] x, int64[2] k) => (float[2,a] r) {
        one = Constant<value = int64 {1}>() s = SplitToSequence<axis = 1>(x, k) e = SequenceAt(s, one) r = Relu(e)
    }"""
    agree(text, {"x": X, "k": np.array([1, 2])})


def test_a_map(agree: Agree):
    text = f"""agraph ({INPUTS}) => (float[4,3] r) {{
        s = SequenceConstruct(x, y)
        t = SequenceMap<body = b (float[2,3] u, float[2,3] v) => (float[2,3] w) {{ w = Mul(u, v) }}>(s, z)
        {JOINED}
    }}"""
    agree(text, FEEDS)


def test_a_sequence_in_a_branch(agree: Agree):
    text = f"""agraph ({INPUTS}, bool c, int64 p) => (float[2,3] r) {{
        s = SequenceConstruct(x, y)
        r = If (c) <
            then_branch = t () => (float[2,3] a) {{ a = SequenceAt(s, p) }},
            else_branch = e () => (float[2,3] b) {{ b = Relu(z) }}
        >
    }}"""
    for condition in (True, False):
        agree(text, FEEDS | {"c": np.array(condition), "p": np.array(1)})


def test_optional_values(run_tensorflow: Any):
    text = """<ir_version: 10, opset_import: ["" : 18]> agraph (float[2,3] x) => (bool there, bool gone, float[2,3] y) {
        there = OptionalHasElement(x) gone = OptionalHasElement() y = OptionalGetElement(x)
    }"""
    results = run_tensorflow(model(text), {"x": X})
    assert results["there"]
    assert not results["gone"]
    np.testing.assert_array_equal(results["y"], X)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "(seq(float[2]) s) => (float[a] r) { r = ConcatFromSequence<axis = 0>(s) }",
            "input 's' is a sequence or optional",
        ),
        ("(float[2] x) => (seq(float[2]) s) { s = SequenceConstruct(x) }", "'s' is a sequence, which is no tensor"),
        ("(float[a] x) => (int64 n) { s = SplitToSequence(x) n = SequenceLength(s) }", "how many pieces there are"),
    ],
)
def test_what_is_refused(run_tensorflow: Any, text: str, message: str):
    with pytest.raises(UnsupportedModel, match=message):
        run_tensorflow(model(f"agraph {text}"), {})
