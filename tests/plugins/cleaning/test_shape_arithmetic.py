"""Integer tensors computed from shapes: every element that is said to be known is what onnxruntime computes."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxpress.runtime import Session
from onnxpress.testing import model
from onnxpress_plugins.cleaning.shape_arithmetic import computed
from onnxpress_plugins.cleaning.shape_facts import Contents, ShapeFacts
from onnxpress_plugins.cleaning.symbolic_sizes import ONE, Size

N, M = Size.of("N"), Size.of("M")
CONSTANTS = """int64 scalar = {1}, int64[1] zero = {0}, int64[1] one = {1}, int64[1] two = {2}, int64[1] off = {7},
    int64[1] end = {9}, int64[1] last = {-1}, int64[1] low = {-9}, int64[1] wide = {4294967296},
    int64[2] places = {2,-1}, int64[3] mixed = {0,-1,5}"""

KNOWN: dict[str, tuple[str, Contents | None]] = {
    "Shape": ("Shape(x)", [N, M, Size(4)]),
    "part of a shape": ("Shape<start=-2, end=-1>(x)", [M]),
    "Size": ("Size(x)", [N * M * Size(4)]),
    "Gather": ("Gather(s, places)", [Size(4), Size(4)]),
    "Gather outside": ("Gather(s, off)", None),
    "Gather a scalar": ("Gather(s, scalar)", [M]),
    "Slice": ("Slice(s, one, end)", [M, Size(4)]),
    "Slice backwards": ("Slice(s, last, low, zero, last)", [Size(4), M, N]),
    "ReduceProd": ("ReduceProd(s)", [N * M * Size(4)]),
    "ReduceProd along the axis": ("ReduceProd<axes=[0], keepdims=0>(s)", [N * M * Size(4)]),
    "Concat": ("Concat<axis=0>(s, two)", [N, M, Size(4), Size(2)]),
    "Mul": ("Mul(s, s)", [N * N, M * M, Size(16)]),
    "Mul by a scalar": ("Mul(scalar, s)", [N, M, Size(4)]),
    "Div": ("Div(s, two)", [None, None, Size(2)]),
    "Max": ("Max(s, mixed)", [N, M, Size(5)]),
    "Min": ("Min(mixed, s)", [Size(0), Size(-1), Size(4)]),
    "Cast": ("Cast<to=6>(s)", [N, M, Size(4)]),
    "Cast that overflows": ("Cast<to=6>(wide)", None),
    "Cast to float": ("Cast<to=1>(s)", None),
    "two axes": ("Unsqueeze(s, zero)", None),
    "what nobody knows": ("Add(s, two)", None),
}


@pytest.mark.parametrize(("node", "expected"), KNOWN.values(), ids=KNOWN)
def test_elements(node: str, expected: Contents | None) -> None:
    text = f"g (float[N,M,4] x) => (y) <{CONSTANTS}> {{ s = Shape(x) y = {node} }}"
    made, facts = model(text), ShapeFacts()
    shape, last = made.graph
    facts.hold(shape.outputs[0], computed(shape, facts) or [])
    assert computed(last, facts) == expected


STEPS = st.sampled_from(
    ["Mul({0}, {1})", "Max({0}, {1})", "Min({0}, {1})", "Concat<axis=0>({0}, {1})", "ReduceProd({0})", "Div({0}, one)"]
)


@given(st.lists(st.tuples(STEPS, st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=5), st.integers(1, 4))
def test_any_computation(steps: list[tuple[str, int, int]], batch: int) -> None:
    lines, single = (
        ["a = Shape<end=1>(x)", "b = Shape<start=1, end=2>(x)", "c = Shape<start=2>(x)"],
        ["a", "b", "c", "one"],
    )
    for number, (step, first, second) in enumerate(steps):
        operands = [single[place % len(single)] for place in (first, second)]
        lines.append(f"v{number} = {step.format(*operands)}")
        if not step.startswith("Concat"):
            single.append(f"v{number}")
    made = model(f"g (float[N,M,4] x) => (v{len(steps) - 1}) <int64[1] one = {{1}}> {{ {' '.join(lines)} }}")
    facts = ShapeFacts()
    for node in made.graph:
        contents = computed(node, facts)
        facts.hold(node.outputs[0], [None] if contents is None else contents)
    run = {"N": batch, "M": 3}
    (given,) = Session(made, threads=1).run({"x": np.zeros((batch, 3, 4), np.float32)}).values()
    known = facts.contents(made.graph.outputs[0])
    assert known is not None and len(known) == given.size
    for size, element in zip(known, given.flat, strict=True):
        assert size is None or size.number * prod(run[str(s)] for s in size.symbols.elements()) == element


def test_the_product_of_nothing_is_one() -> None:
    made, facts = model("g (float x) => (y) { s = Shape(x) y = ReduceProd(s) }"), ShapeFacts()
    for node in made.graph:
        contents = computed(node, facts)
        assert contents is not None
        facts.hold(node.outputs[0], contents)
    assert contents == [ONE]
