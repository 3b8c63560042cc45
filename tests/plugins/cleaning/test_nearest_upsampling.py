"""Repetition of every pixel becomes Resize, to the bit; repetition along some axes only stays what it is."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibrated import graph, numbers
from onnxpress.records import Notes
from onnxpress.testing import apply, assert_equivalent
from onnxpress.verify import verify
from onnxpress_plugins.cleaning.clean_up import CLEAN_UP
from onnxpress_plugins.cleaning.nearest_upsampling import ResizeNearest


def repeated(shape: tuple[int, ...], times: dict[int, int]) -> ir.Model:
    """`times` of every element of these axes, as np.repeat does it."""
    lines, constants, sizes = [], {}, list(shape)
    for number, (axis, count) in enumerate(times.items()):
        before = "x" if number == 0 else f"r{number - 1}"
        after = "y" if number == len(times) - 1 else f"r{number}"
        sizes[axis] *= count
        constants[f"a{number}"] = np.array([axis + 1])
        constants[f"n{number}"] = np.array([count if place == axis + 1 else 1 for place in range(len(shape) + 1)])
        constants[f"s{number}"] = np.array([-1, *sizes[1:]])
        lines.append(f"u{number} = Unsqueeze({before}, a{number}) t{number} = Tile(u{number}, n{number})")
        lines.append(f"{after} = Reshape(t{number}, s{number})")
    dims = ",".join(["N", *map(str, shape[1:])])
    return graph(" ".join(lines), x=f"float[{dims}] x", **constants)


def run(before: ir.Model, shape: tuple[int, ...]) -> tuple[list[str], Notes]:
    after, notes = before.clone(), Notes()
    ResizeNearest(notes)(after)
    verify(after)
    assert_equivalent(before, after, {"x": numbers(*shape)}, rtol=0, atol=0)  # the same numbers in the same places
    return [node.op_type for node in after.graph.all_nodes()], notes


@given(
    sizes=st.lists(st.integers(1, 9), min_size=4, max_size=5),
    times=st.lists(st.integers(2, 7), min_size=3, max_size=3),
    first=st.booleans(),
    backwards=st.booleans(),
)
def test_every_spatial_axis(sizes: list[int], times: list[int], first: bool, backwards: bool) -> None:
    shape = tuple(sizes)
    axes = range(2, len(shape)) if first else range(1, len(shape) - 1)
    counts = dict(zip(axes, times, strict=False))
    ordered = dict(reversed(counts.items())) if backwards else counts
    ops, notes = run(repeated(shape, ordered), shape)
    assert "Resize" in ops
    assert notes.counts == {"repetition of pixels turned into Resize": 1}


def test_a_long_axis_is_not_rounded_away() -> None:
    shape = (1, 30000, 1, 1)
    for count in (3, 5, 7):
        ops, _ = run(repeated(shape, {1: count, 2: 2}), shape)
        assert "Resize" in ops


STAY = {
    "heads of attention": ((2, 5, 3, 4), {2: 2}),
    "height and channels": ((2, 3, 3, 3), {1: 2, 3: 2}),
    "a sequence": ((2, 5, 4), {1: 2}),
    "the batch": ((2, 3, 3, 3), {0: 2, 1: 2}),
}


@pytest.mark.parametrize(("shape", "times"), STAY.values(), ids=STAY)
def test_what_is_no_image(shape: tuple[int, ...], times: dict[int, int]) -> None:
    ops, notes = run(repeated(shape, times), shape)
    assert "Resize" not in ops
    assert notes == Notes()


CONSTANTS = {
    "two": np.array([2]),
    "three": np.array([3]),
    "times": np.array([1, 1, 2, 1, 1]),
    "last": np.array([1, 1, 1, 2, 1]),
    "blocks": np.array([-1, 3, 6, 3]),
    "rows": np.array([-1, 6, 3, 3]),
    "pixels": np.array([-1, 6, 6, 3]),
    "wide": np.array([-1, 3, 12, 3]),
}


@pytest.mark.parametrize(
    ("body", "y"),
    [
        (
            """u = Unsqueeze(x, two) t = Tile(u, times) r = Reshape(t, blocks)
            v = Unsqueeze(r, three) s = Tile(v, last) y = Reshape(s, wide)""",
            "y",
        ),
        (
            """u = Unsqueeze(x, two) t = Tile(u, times) r = Reshape(t, rows)
            v = Unsqueeze(r, three) s = Tile(v, last) y = Reshape(s, pixels)""",
            "y, r",
        ),
        (
            """u = Unsqueeze(x, two) t = Tile(u, times) r = Reshape(t, rows)
            v = Unsqueeze(r, three) s = Tile(v, last) y = Reshape(s, pixels)""",
            "y, t",
        ),
    ],
    ids=["blocks are repeated, not elements", "half of it is an output", "what Tile makes is an output"],
)
def test_what_is_seen_or_is_something_else(body: str, y: str) -> None:
    before = graph(body, x="float[N,3,3,3] x", y=y, **CONSTANTS)
    ops, notes = run(before, (2, 3, 3, 3))
    assert ops == [node.op_type for node in before.graph] and notes == Notes()


def test_an_old_opset_stays() -> None:
    before = repeated((1, 2, 2, 1), {1: 2, 2: 2})
    before.opset_imports[""] = 12
    assert not ResizeNearest(Notes())(before).modified


def test_integers_stay() -> None:
    body = """i = Cast<to = 7>(x) u = Unsqueeze(i, two) t = Tile(u, times) r = Reshape(t, rows)
        v = Unsqueeze(r, three) s = Tile(v, last) y = Reshape(s, pixels)"""
    ops, _ = run(graph(body, x="float[N,3,3,3] x", **CONSTANTS), (2, 3, 3, 3))
    assert "Resize" not in ops


def test_open_height_and_width() -> None:
    body = """s = Shape(x) n = Slice(s, zero, one) h = Slice(s, one, two) w = Slice(s, two, four) d = Mul(h, two)
        g = Concat<axis = 0>(n, d, w) u = Unsqueeze(x, two) t = Tile(u, times) r = Reshape(t, g)
        q = Shape(r) a = Slice(q, zero, two) b = Slice(q, two, three) c = Slice(q, three, four) e = Mul(b, two)
        f = Concat<axis = 0>(a, e, c) v = Unsqueeze(r, three) p = Tile(v, last) y = Reshape(p, f)"""
    more = {"zero": np.array([0]), "one": np.array([1]), "four": np.array([4])}
    before = graph(body, x="float[N,H,W,3] x", **CONSTANTS, **more)
    after, _ = apply(CLEAN_UP, before)
    assert [node.op_type for node in after.graph] == ["Resize"]
    for shape in ((1, 2, 3, 3), (2, 5, 1, 3)):
        assert_equivalent(before, after, {"x": numbers(*shape)}, rtol=0, atol=0)  # the same numbers in the same places


def test_inside_a_subgraph() -> None:
    body = """y = If (flag) <
        then_branch = yes () => (float[N,6,6,3] o) {
            u = Unsqueeze(x, two) t = Tile(u, times) r = Reshape(t, rows)
            v = Unsqueeze(r, three) s = Tile(v, last) o = Reshape(s, pixels) },
        else_branch = no () => (float[N,6,6,3] z) { z = Pad(x, pads) }>"""
    pads = np.array([0, 0, 0, 0, 0, 3, 3, 0])
    before = graph(body, x="float[N,3,3,3] x, bool flag", y="float[N,6,6,3] y", pads=pads, **CONSTANTS)
    after, _ = apply(CLEAN_UP, before)
    assert [node.op_type for node in after.graph.all_nodes()] == ["If", "Resize", "Pad"]
    for flag in (True, False):
        feeds = {"x": numbers(2, 3, 3, 3), "flag": np.array(flag)}
        assert_equivalent(before, after, feeds, rtol=0, atol=0)  # the same numbers in the same places
