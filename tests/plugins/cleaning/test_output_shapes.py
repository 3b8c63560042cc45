"""What the rules say of an output's shape is what onnxruntime gives, for every size of the open dimensions."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest

from onnxpress.runtime import Session
from onnxpress.testing import model
from onnxpress_plugins.cleaning.output_shapes import broadcast, output_shape
from onnxpress_plugins.cleaning.shape_facts import Contents, ShapeFacts
from onnxpress_plugins.cleaning.symbolic_sizes import ONE, Size

N, M = Size.of("N"), Size.of("M")
INPUTS = "float[N,M,6] x, float[N,6,5] u, float[M,N] z, float[M] v, bool[N,1,6] c, int64[2] t"
CONSTANTS = """int64[3] target = {0,-1,3}, int64[3] twice = {1,2,3}, int64[3] two = {1,2,6}, int64[2] pair = {2,3},
    int64[2] zeros = {0,0}, int64[2] ends = {2147483647,4}, int64[2] axes = {1,-1}, int64[1] axis = {-2},
    int64[3] none = {0,0,0}, int64[3] open = {2147483647,2147483647,2147483647}"""

KNOWN: dict[str, tuple[str, Contents]] = {
    "Reshape": ("Reshape(x, target)", [N, M * Size(2), Size(3)]),
    "Flatten": ("Flatten<axis=2>(x)", [N * M, Size(6)]),
    "Flatten from the end": ("Flatten<axis=-2>(x)", [N, M * Size(6)]),
    "Flatten all": ("Flatten<axis=0>(x)", [ONE, N * M * Size(6)]),
    "Tile": ("Tile(x, twice)", [N, M * Size(2), Size(18)]),
    "Slice": ("Slice(x, zeros, ends, axes)", [N, M, None]),
    "Slice of all axes": ("Slice(x, none, open)", [N, M, Size(6)]),
    "Slice with steps": ("Slice(x, zeros, ends, axes, pair)", [N, None, None]),
    "Unsqueeze": ("Unsqueeze(x, axes)", [N, ONE, M, Size(6), ONE]),
    "Squeeze": ("Squeeze(c, axis)", [N, Size(6)]),
    "Expand": ("Expand(x, two)", [N, Size(2), Size(6)]),
    "Expand to a longer shape": ("Expand(v, pair)", [Size(2), Size(3)]),
    "elementwise": ("Where(c, x, x)", [N, M, Size(6)]),
    "elementwise, other ranks": ("Add(z, v)", [M, None]),
    "MatMul": ("MatMul(x, u)", [N, M, Size(5)]),
}


@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize(("node", "expected"), KNOWN.values(), ids=KNOWN)
def test_what_is_said_of_the_output(node: str, expected: Contents, batch: int) -> None:
    made = model(f"g ({INPUTS}) => (y) <{CONSTANTS}> {{ y = {node} }}")
    assert output_shape(made.graph[-1], ShapeFacts()) == expected
    run, session = {"N": batch, "M": 1}, Session(made, threads=1)
    feeds = {
        port.name: np.ones([run.get(str(size), size) for size in port.shape], port.dtype)  # type: ignore[misc]
        for port in session.inputs
    }
    (given,) = session.run(feeds).values()
    known = [None if size is None else size.number * prod(run[str(s)] for s in size.symbols) for size in expected]
    assert all(claim in (None, size) for claim, size in zip(known, given.shape, strict=True))


@pytest.mark.parametrize("node", ["Relu(x)", "Reshape(z, t)", "Tile(z, t)", "MatMul(v, v)", "Expand(z, t)"])
def test_nothing_is_said(node: str) -> None:
    assert output_shape(model(f"g ({INPUTS}) => (y) {{ y = {node} }}").graph[0], ShapeFacts()) is None


def test_only_equal_sizes_are_broadcast() -> None:
    assert broadcast([[N, ONE, Size(3)], [N, M, ONE]]) == [N, M, Size(3)]
    assert broadcast([[N], [M]]) == [None]
    assert broadcast([[N], [Size(4)], [ONE]]) == [Size(4)]
    assert broadcast([[None, N], [N]]) == [None, N]
    assert broadcast([[None], [N]]) == [None]
    assert broadcast([[ONE], [ONE]]) == [ONE]
