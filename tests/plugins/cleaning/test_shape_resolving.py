"""Shapes that are known are computed once; what only the run can know stays."""

from __future__ import annotations

from collections import Counter
from itertools import product
from math import prod
from random import Random

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnxpress.records import Notes
from onnxpress.testing import assert_equivalent, model
from onnxpress.verify import verify
from onnxpress_plugins.cleaning.output_shapes import reshaped
from onnxpress_plugins.cleaning.shape_resolving import ResolveShapes, expand_target, reshape_target
from onnxpress_plugins.cleaning.symbolic_sizes import ONE, Size

CONSTANTS = """int64[1] zero = {0}, int64[1] one = {1}, int64[1] three = {3}, int64[1] last = {-1}, int64[1] end = {9},
    int64[2] inner = {1,2}, int64[1] wide = {32}, int64 scalar = {1}, int64[1] eight = {8}, int64[1] low = {-9},
    int64[2] zero_and_one = {0,1}, int64[1] two = {2}"""


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
    "-1 that the elements decide": ("s = Shape(x) b = Gather(s, zero) r = Concat<axis=0>(b, last, wide)", [-1, 2, 32]),
    "products": (
        """s = Shape(x) k = Gather(s, zero_and_one) p = ReduceProd<axes=[0]>(k) d = Div(p, two) m = Mul(d, two)
        r = Concat<axis=0>(m, last, eight)""",
        [-1, 4, 8],
    ),
    "the larger of two": (
        """t2 = Transpose<perm=[0,2,1,3]>(x) s = Shape<end=1>(x) u = Shape<end=1>(t2) m = Max(s, u, zero) n = Min(m, u)
        r = Concat<axis=0>(n, inner, last)""",
        [-1, 1, 2, 32],
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


OPEN = """g (float[N,M,4] x, float[M,N,4] z) => (y) <int64[1] zero = {0}, int64[1] one = {1}, int64[2] two = {2,2},
    int64[1] last = {-1}, int64[1] eight = {8}, int64[4] most = {1,1,1,1}>"""


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("b = Shape<end=2>(x) r = Concat<axis=0>(b, two)", [0, 0, 2, 2]),
        ("b = Shape<end=1>(x) r = Concat<axis=0>(b, last, two)", [0, 0, 2, 2]),
        ("b = Shape<end=1>(x) r = Concat<axis=0>(b, last)", [0, -1]),
        ("b = Shape<start=1, end=2>(x) c = Shape<end=1>(x) r = Concat<axis=0>(b, c, two)", None),
        ("b = Shape<end=1>(z) r = Concat<axis=0>(b, last)", None),
        ("b = Shape<end=2>(x) p = ReduceProd(b) r = Concat<axis=0>(p, two)", [-1, 2, 2]),
    ],
)
def test_two_unknown_sizes_where_each_is_the_inputs(body: str, expected: list[int] | None) -> None:
    before, after = model(f"{OPEN} {{ {body} y = Reshape(x, r) }}"), model(f"{OPEN} {{ {body} y = Reshape(x, r) }}")
    ResolveShapes(Notes())(after)
    assert target(after) == expected
    feeds = {"x": np.arange(24, dtype=np.float32).reshape(2, 3, 4), "z": np.zeros((3, 2, 4), np.float32)}
    assert_equivalent(before, after, feeds, rtol=0, atol=0)  # nothing is computed differently


def test_a_dimension_found_equal_takes_the_name() -> None:
    text = """g (float[N,2,4] x) => (float[N,8] y) <int64[3] t = {-1,4,2}, int64[2] u = {-1,8}> {
        r = Reshape(x, t) d = Transpose<perm=[1,0,2]>(r) e = Transpose<perm=[1,0,2]>(d) y = Reshape(e, u) }"""
    after = model(text)
    assert "N" not in str(after.graph[1].outputs[0].shape)
    ResolveShapes(Notes())(after)
    assert [str(node.outputs[0].shape) for node in after.graph] == ["[N,4,2]", "[4,N,2]", "[N,4,2]", "[N,8]"]


def test_expand_keeps_what_the_input_has() -> None:
    after, _ = resolve("s = Shape(x) c = Concat<axis=0>(two, s) y = Expand(x, c)")
    assert after.graph.initializers["y_shape"].const_value.numpy().tolist() == [2, 1, 2, 4, 8]  # type: ignore[union-attr]
    after, notes = resolve("s = Shape(x) b = Gather(s, zero) c = Concat<axis=0>(b, two) y = Expand(two, c)")
    assert notes.counts == {}


def test_an_equation_of_one_branch_is_none_for_the_other() -> None:
    before = model(
        """g (float[N,2] x, bool flag) => (y) <int64[2] six = {6,1}, int64[1] rest = {2}> {
            y = If(flag) <
                then_branch = f () => (p) { r = Reshape(x, six) p = Flatten<axis=0>(r) },
                else_branch = h () => (q) { s = Shape<end=1>(x) m = Mul(s, rest) q = Reshape(x, m) }> }"""
    )
    after = before.clone()
    ResolveShapes(Notes())(after)
    verify(after)
    for flag, batch in ((True, 3), (False, 5)):
        feeds = {"x": np.ones((batch, 2), np.float32), "flag": np.array(flag)}
        assert_equivalent(before, after, feeds, rtol=0, atol=0)  # nothing is computed differently


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


SIZES = st.builds(
    lambda number, symbols: Size(number, Counter(symbols)),
    st.integers(1, 3),
    st.lists(st.sampled_from("NM"), max_size=2),
)


def value(size: Size, run: dict[str, int]) -> int:
    return size.number * prod(run[str(symbol)] for symbol in size.symbols.elements())


def reshape(shape: list[int], target: list[int], *, copies: bool) -> list[int] | None:
    """What onnxruntime's Reshape gives; None where it fails."""
    if copies and any(size == 0 and axis >= len(shape) for axis, size in enumerate(target)):
        return None
    result = [shape[axis] if copies and size == 0 else size for axis, size in enumerate(target)]
    others = prod(size for size in result if size != -1)
    if result.count(-1) > 1 or (-1 in result and (others == 0 or prod(shape) % others)):
        return None
    result = [prod(shape) // others if size == -1 else size for size in result]
    return result if prod(result) == prod(shape) else None


@given(
    source=st.lists(SIZES, max_size=4),
    others=st.lists(st.one_of(SIZES, st.sampled_from([Size(-1), Size(0), None])), max_size=3),
    order=st.randoms(use_true_random=False),
    merge=st.booleans(),
    copies=st.booleans(),
)
@settings(max_examples=200)
def test_the_constant_target_does_what_the_computed_one_did(
    source: list[Size], others: list[Size | None], order: Random, merge: bool, copies: bool
) -> None:
    target: list[Size | None] = [*source]
    order.shuffle(target)
    if merge and len(target) > 1:
        target = [prod(source[:2], start=ONE), *source[2:]]
    for size in others:
        if target:
            target[order.randrange(len(target))] = size
    constant = reshape_target(source, target, copies=copies)
    claims = reshaped(source, target, copies=copies)
    for n, m, unknown in product((0, 1, 2, 5), (0, 1, 3), (-1, 0, 1, 6)):
        run = {"N": n, "M": m}
        shape = [value(size, run) for size in source]
        asked = [unknown if size is None else value(size, run) for size in target]
        given = reshape(shape, asked, copies=copies)
        if given is not None:
            assert constant is None or reshape(shape, constant, copies=copies) == given
            assert all(claim is None or value(claim, run) == size for claim, size in zip(claims, given, strict=True))


@given(st.lists(SIZES, max_size=4), st.lists(st.one_of(SIZES, st.just(Size(0))), max_size=4))
def test_the_constant_target_of_expand_does_what_the_computed_one_did(source: list[Size], target: list[Size]) -> None:
    constant = expand_target(source, [*target])
    for n, m in product((0, 1, 2, 5), (0, 1, 3)):
        run = {"N": n, "M": m}
        shape, asked = ([value(size, run) for size in sizes] for sizes in (source, target))
        try:
            given = np.broadcast_shapes(shape, asked)
        except ValueError:
            continue
        assert constant is None or np.broadcast_shapes(shape, constant) == given
