"""What is a per-channel affine map, and which."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxpress.testing import model
from onnxpress_plugins.folding.affine import Affine, Channels, Obstacle, along, is_per_channel, operand

NCHW = Channels(axes=(-3,), rank=4, sizes=(2,))
MAPS = {
    "Mul(x, k)": ([2, 4], [0, 0]),
    "Mul(k, x)": ([2, 4], [0, 0]),
    "Div(x, k)": ([0.5, 0.25], [0, 0]),
    "Add(x, k)": ([1, 1], [2, 4]),
    "Sub(x, k)": ([1, 1], [-2, -4]),
    "Sub(k, x)": ([-1, -1], [2, 4]),
    "BatchNormalization<epsilon=0.0>(x, v, v, v, v)": ([2, 4], [-4, -48]),
}


@pytest.mark.parametrize(("expression", "scale", "shift"), [(e, *maps) for e, maps in MAPS.items()], ids=MAPS)
def test_the_table_of_the_docstring(expression: str, scale: Sequence[float], shift: Sequence[float]) -> None:
    constants = "<float[2,1,1] k = {2, 4}, float[2] v = {4, 16}>"
    (node,) = model(f"g (float[N,2,3,3] x) => (y) {constants} {{ y = {expression} }}").graph
    assert operand(node) is not None
    assert operand(node) is model_input(node)
    result = along(node, NCHW)
    np.testing.assert_array_equal(result.scale, scale)
    np.testing.assert_array_equal(result.shift, shift)
    assert is_per_channel(node)


def model_input(node: object) -> object:
    return next(value for value in node.inputs if value.is_graph_input())  # type: ignore[attr-defined]


@pytest.mark.parametrize("expression", ["Div(k, x)", "Mul(x, x)", "Add(k, k)", "Relu(x)", "Pow(x, k)"])
def test_what_is_none(expression: str) -> None:
    (node,) = model(f"g (float[N,2,3,3] x) => (y) <float[2,1,1] k = {{2, 4}}> {{ y = {expression} }}").graph
    assert operand(node) is None


@pytest.mark.parametrize(
    ("shape", "channels"),
    [
        ("2,1,1", NCHW),
        ("1,2,1,1", NCHW),
        ("1,1,1", NCHW),
        ("2", Channels(axes=(-1,), rank=4, sizes=(2,))),
        ("2", Channels(axes=(-1,), rank=None, sizes=(2,))),
        ("1,1,1,2", Channels(axes=(-1,), rank=4, sizes=(2,))),
    ],
)
def test_constants_that_fit(shape: str, channels: Channels) -> None:
    constant = np.ones([int(size) for size in shape.split(",")], np.float32)
    (node,) = model(f"g (float[N,2,2,2] x, float[{shape}] k) => (y) {{ y = Mul(x, k) }}", k=constant).graph
    assert along(node, channels).scale.shape == (2,)


@pytest.mark.parametrize(
    ("shape", "channels"),
    [
        ("2", NCHW),
        ("2,2,2", NCHW),
        ("2,1,1,1", NCHW),
        ("2,1,1", Channels(axes=(-3,), rank=4, sizes=(1,))),
        ("1,1,1,1,1", NCHW),
        ("1,2", Channels(axes=(-1,), rank=None, sizes=(2,))),
    ],
)
def test_constants_that_do_not_fit(shape: str, channels: Channels) -> None:
    constant = np.ones([int(size) for size in shape.split(",")], np.float32)
    (node,) = model(f"g (float[1,2,2,2] x, float[{shape}] k) => (y) {{ y = Mul(x, k) }}", k=constant).graph
    with pytest.raises(
        Obstacle, match=r"its constant 'k' of shape \[[\d, ]+\] is not one number for each of \d channels"
    ):
        along(node, channels)


def test_batch_norm_along_another_axis() -> None:
    (node,) = model(
        "g (float[N,2,3,3] x) => (y) <float[2] v = {4, 16}> { y = BatchNormalization(x, v, v, v, v) }"
    ).graph
    with pytest.raises(Obstacle, match="it normalises axis 1, which is not where the channels are"):
        along(node, Channels(axes=(-1,), rank=4, sizes=(2,)))


HWC = Channels(axes=(-2, -1, -3), rank=4, sizes=(2, 3, 5))
"""Height, width and depth of an image that are the channels of a dense layer, behind a Transpose to NCHW."""


@pytest.mark.parametrize("shape", [(5, 2, 3), (3,), (5, 1, 1), (2, 1), (1, 5, 1, 3), ()], ids=str)
def test_channels_on_several_axes(shape: tuple[int, ...]) -> None:
    constant = np.random.default_rng(0).normal(size=shape)
    kind = f"double[{','.join(map(str, shape))}]" if shape else "double"
    (node,) = model(f"g (double[N,5,2,3] x, {kind} k) => (y) {{ y = Mul(x, k) }}", k=constant).graph
    expected = np.broadcast_to(constant, (1, 5, 2, 3))[0].transpose(1, 2, 0).reshape(-1)
    np.testing.assert_array_equal(along(node, HWC).scale, expected)


def test_batch_norm_of_one_of_several_axes() -> None:
    (node,) = model(
        """g (float[N,5,2,3] x) => (y) <float[5] k = {1, 2, 3, 4, 5}, float[5] one = {1, 1, 1, 1, 1}> {
            y = BatchNormalization<epsilon=0.0>(x, k, k, one, one) }"""
    ).graph
    result = along(node, HWC)
    np.testing.assert_array_equal(result.scale, np.tile([1, 2, 3, 4, 5], 6))
    np.testing.assert_array_equal(result.shift, np.zeros(30))


VECTORS = st.lists(st.floats(-100, 100), min_size=3, max_size=3).map(np.array)


@given(VECTORS, VECTORS, VECTORS, VECTORS, VECTORS)
def test_one_map_after_another(x: np.ndarray, a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> None:  # type: ignore[type-arg]
    both = Affine(a, b).then(Affine(c, d))
    # float64: the terms reach 1e6, so that 1e-9 is some ulp
    np.testing.assert_allclose(both.scale * x + both.shift, c * (a * x + b) + d, rtol=1e-12, atol=1e-9)
