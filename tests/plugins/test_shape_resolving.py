"""Shapes that are known are computed once; what only the run can know stays."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxpress.records import Notes
from onnxpress.testing import assert_equivalent, model
from onnxpress.verify import verify
from onnxpress_plugins.shape_resolving import ResolveShapes

CONSTANTS = """int64[1] zero = {0}, int64[1] one = {1}, int64[1] three = {3}, int64[1] last = {-1}, int64[1] end = {9},
    int64[2] inner = {1,2}, int64[1] wide = {32}, int64 scalar = {1}, int64[1] eight = {8}, int64[1] low = {-9}"""


def resolve(body: str) -> tuple[ir.Model, Notes]:
    """Resolve in a graph of x [N,2,4,8]; outputs must be the same."""
    before, notes = model(f"g (float[N,2,4,8] x, int64[4] t) => (y) <{CONSTANTS}> {{ {body} }}"), Notes()
    after = before.clone()
    ResolveShapes(notes)(after)
    verify(after)
    feeds = {"x": np.random.default_rng(0).normal(size=(3, 2, 4, 8)).astype(np.float32), "t": np.array([3, 2, 4, 8])}
    assert_equivalent(before, after, feeds, rtol=0, atol=0)  # nothing is computed differently
    return after, notes


def target(model: ir.Model) -> list[int] | None:
    """The constant target of the only Reshape."""
    (reshape,) = (node for node in model.graph if node.op_type == "Reshape")
    tensor = reshape.inputs[1].const_value if reshape.inputs[1] is not None else None
    return None if tensor is None else tensor.numpy().tolist()


TARGETS = {
    "Gather": ("s = Shape(x) b = Gather(s, zero) k = Gather(s, inner) r = Concat<axis=0>(b, k, eight)", [-1, 2, 4, 8]),
    "Slice": ("s = Shape(x) b = Slice(s, zero, one) k = Slice(s, one, end) r = Concat<axis=0>(b, k)", [-1, 2, 4, 8]),
    "Cast": (
        """s = Shape(x) i = Cast<to=6>(s) l = Slice(i, one, end, zero) b = Slice(i, zero, one)
        c = Concat<axis=0>(b, l) r = Cast<to=7>(c)""",
        [-1, 2, 4, 8],
    ),
    "scalars": (
        "s = Shape(x) b = Gather(s, scalar) u = Unsqueeze(b, zero) r = Concat<axis=0>(last, u, wide)",
        [-1, 2, 32],
    ),
    "backwards": (
        "s = Shape<start=1>(x) k = Slice(s, last, low, zero, last) r = Concat<axis=0>(k, last)",
        [8, 4, 2, -1],
    ),
}


@pytest.mark.parametrize(("body", "expected"), TARGETS.values(), ids=TARGETS)
def test_targets_of_reshape(body: str, expected: list[int]) -> None:
    after, notes = resolve(f"{body} y = Reshape(x, r)")
    assert target(after) == expected
    assert notes.counts["shapes resolved"] >= 1


STAY = {
    "two unknown sizes": "s = Shape(x) b = Gather(s, zero) r = Concat<axis=0>(b, last, wide)",
    "given by the caller": "r = Abs(t)",
    "partly computed": "s = Shape(x) k = Gather(s, inner) a = Neg(one) r = Concat<axis=0>(a, k, eight)",
    "computed with": "s = Shape(x) m = Max(s, one) r = Abs(m)",
}


@pytest.mark.parametrize("body", STAY.values(), ids=STAY)
def test_what_only_the_run_knows(body: str) -> None:
    after, _ = resolve(f"{body} y = Reshape(x, r)")
    assert target(after) is None


def test_a_known_shape_is_an_initialiser_and_an_output_stays_computed() -> None:
    after, notes = resolve(
        "s = Shape<start=2>(x) z = Shape<end=-1>(x) e = Expand(one, s) w = Gather(z, zero) y = Add(e, w)"
    )
    assert [node.op_type for node in after.graph] == ["Shape", "Expand", "Gather", "Add"]
    assert notes.counts == {"shapes resolved": 1}
    after, _ = resolve("y = Shape<start=1>(x)")
    assert [node.op_type for node in after.graph] == ["Shape"]


def test_two_unknown_sizes_are_too_many() -> None:
    text = """g (float[N,M,4] x) => (y) <int64[1] zero = {0}, int64[1] one = {1}, int64[2] two = {2,2}> {
        s = Shape(x) b = Gather(s, zero) c = Gather(s, one) r = Concat<axis=0>(b, c, two) y = Reshape(x, r) }"""
    assert not ResolveShapes(Notes())(model(text)).modified


def test_part_of_a_shape_and_a_matrix_of_sizes() -> None:
    after, notes = resolve(
        "s = Shape<end=3>(x) k = Gather(s, last) m = Shape<start=1>(x) u = Unsqueeze(m, zero) y = Add(u, k)"
    )
    assert [node.op_type for node in after.graph] == ["Shape", "Unsqueeze", "Add"]
    assert after.graph.initializers["k"].const_value.numpy().tolist() == [4]  # type: ignore[union-attr]
    assert notes.counts == {"shapes resolved": 2}


def test_a_scalar_stays_one() -> None:
    after, _ = resolve("s = Shape(x) k = Gather(s, scalar) y = Add(t, k)")
    known = after.graph.initializers["k"]
    assert (list(known.shape or ()), known.const_value.numpy().tolist()) == ([], 2)  # type: ignore[union-attr]


def test_inside_a_subgraph() -> None:
    before = model(
        """g (float[N,2,4,8] x, bool flag) => (y) <int64[1] zero = {0}, int64[1] rest = {64}> {
            s = Shape(x) b = Gather(s, zero)
            y = If(flag) <then_branch = f () => (float[N,64] p) { r = Concat<axis=0>(b, rest) p = Reshape(x, r) },
                          else_branch = h () => (float[N,64] q) { q = Flatten(x) }> }"""
    )
    after = before.clone()
    ResolveShapes(Notes())(after)
    verify(after)
    (reshape,) = (node for node in after.graph.all_nodes() if node.op_type == "Reshape")
    assert reshape.inputs[1] is not None
    assert reshape.inputs[1].const_value is not None
    for flag in (True, False):
        feeds = {"x": np.ones((3, 2, 4, 8), np.float32), "flag": np.array(flag)}
        assert_equivalent(before, after, feeds, rtol=0, atol=0)  # nothing is computed differently


@given(
    st.lists(st.sampled_from(["gather", "slice", "back", "cast"]), max_size=4), st.integers(-4, 3), st.integers(-4, 3)
)
def test_any_way_through_a_shape(steps: list[str], first: int, second: int) -> None:
    lines = ["s = Shape(x)"]
    last, length = "s", 4
    for number, step in enumerate(steps):
        name = f"v{number}"
        places = ",".join(str(place % length - length) for place in (first, second))
        bounds = [f"{name}_{part} = Constant<value_ints=[{place}]>()" for part, place in (("a", 1), ("b", 9))]
        lines += {
            "gather": [f"{name}_i = Constant<value_ints=[{places}]>()", f"{name} = Gather({last}, {name}_i)"],
            "slice": [*bounds, f"{name} = Slice({last}, {name}_a, {name}_b)"],
            "back": [f"{name}_o = Concat<axis=0>({last}, {last})", f"{name} = Cast<to=7>({name}_o)"],
            "cast": [f"{name}_c = Cast<to=6>({last})", f"{name} = Cast<to=7>({name}_c)"],
        }[step]
        length = {"gather": 2, "slice": length - 1, "back": 2 * length, "cast": length}[step]
        last = name
        if length == 1:
            break
    resolve(f"{' '.join(lines)} y = Abs({last})")
