"""Where channels go through the operators that carry them, and what these ask of a map."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxpress.runtime import Session
from onnxpress.testing import model
from onnxpress_plugins.folding.affine import Affine, Channels, Obstacle
from onnxpress_plugins.folding.carriers import carried, carries, conditions

CONSTANTS = """int64[8] pads = {0,0,1,1,0,0,1,1}, int64[8] thick = {0,1,0,0,0,0,0,0}, int64[2] starts = {1,0},
    int64[2] ends = {3,-1}, int64[2] pixels = {2,-1}, int64[2] mixed = {1,2}, int64[3] flat = {-1,8,16},
    int64[5] split = {-1,4,2,4,4}, int64[2] joined = {-1,8}, int64[2] one = {0,4}, int64[4] zeros = {0,0,0,0},
    int64[4] all = {5,8,4,4}, float k = {1}"""
SHAPE = (5, 8, 4, 4)


def graph(expression: str, shape: str = "5,8,4,4") -> ir.Model:
    return model(
        f'<ir_version: 10, opset_import: ["" : 18]> g (float[{shape}] x) => (y) <{CONSTANTS}> {{ y = {expression} }}'
    )


def single(expression: str, shape: str = "5,8,4,4") -> ir.Node:
    (node,) = graph(expression, shape).graph
    return node


CARRIED = {
    "Transpose": ("Transpose<perm=[0,2,3,1]>(x)", (-3,), (-1,), (8,)),
    "Transpose without an order": ("Transpose(x)", (-3,), (-2,), (8,)),
    "Reshape to fewer axes": ("Reshape(x, flat)", (-3,), (-2,), (8,)),
    "Reshape to several axes": ("Reshape(x, split)", (-3,), (-4, -3), (4, 2)),
    "Unsqueeze": ("Unsqueeze(x, one)", (-3,), (-4,), (8,)),
    "Flatten": ("Flatten<axis=1>(x)", (-3, -2, -1), (-1,), (128,)),
    "MaxPool": ("MaxPool<kernel_shape=[2,2]>(x)", (-3,), (-3,), (8,)),
    "AveragePool": ("AveragePool<kernel_shape=[2,2]>(x)", (-3,), (-3,), (8,)),
    "GlobalMaxPool of the batch": ("GlobalMaxPool(x)", (-4,), (-4,), (5,)),
    "DepthToSpace of the batch": ("DepthToSpace<blocksize=2>(x)", (-4,), (-4,), (5,)),
    "SpaceToDepth of the batch": ("SpaceToDepth<blocksize=2>(x)", (-4,), (-4,), (5,)),
    "Slice": ("Slice(x, starts, ends, pixels)", (-3,), (-3,), (8,)),
    "Pad": ("Pad(x, pads)", (-3,), (-3,), (8,)),
}


def channels(axes: tuple[int, ...]) -> Channels:
    return Channels(axes, 4, tuple(SHAPE[axis] for axis in axes))


@pytest.mark.parametrize(("expression", "axes", "there", "sizes"), CARRIED.values(), ids=CARRIED)
def test_the_table_of_the_docstring(
    expression: str, axes: tuple[int, ...], there: tuple[int, ...], sizes: tuple[int, ...]
) -> None:
    node = single(expression)
    before, rank = channels(axes), len(node.outputs[0].shape or ())
    assert carries(node)
    after = carried(node, before, down=True)
    assert after == Channels(there, rank, sizes)
    assert carried(node, after, down=False) == before


def mapped(numbers: np.ndarray[Any, Any], affine: Affine, places: Channels) -> np.ndarray[Any, Any]:
    """`numbers` with the map applied to the channels on these axes."""
    lanes = np.moveaxis(numbers, places.axes, range(-len(places.axes), 0))
    changed = lanes.reshape(*lanes.shape[: -len(places.axes)], -1) * affine.scale + affine.shift
    return np.moveaxis(changed.reshape(lanes.shape), range(-len(places.axes), 0), places.axes).astype(np.float32)


@pytest.mark.parametrize(("expression", "axes"), [row[:2] for row in CARRIED.values()], ids=CARRIED)
def test_a_map_before_is_the_map_behind(expression: str, axes: tuple[int, ...]) -> None:
    generator = np.random.default_rng(len(expression))
    before, node = channels(axes), single(expression)
    limits = conditions(node)
    scale, shift = generator.normal(size=before.size), generator.normal(size=before.size)
    affine = Affine(np.abs(scale) if "Max" in expression else scale, shift * (node.op_type != "Pad"))
    assert all(condition.holds(affine) for condition in limits)
    assert len(limits) == (node.op_type in ("MaxPool", "GlobalMaxPool", "Pad"))
    session, numbers = Session(graph(expression)), generator.normal(size=SHAPE).astype(np.float32)
    after = carried(node, before, down=True)
    actual = session.run({"x": mapped(numbers, affine, before)})["y"]
    expected = mapped(session.run({"x": numbers})["y"], affine, after)
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5)  # means of four numbers, of order 1


MIXED = {
    "pooling over the channels": ("MaxPool<kernel_shape=[2,2]>(x)", (-1,)),
    "a Slice of the channels": ("Slice(x, starts, ends, mixed)", (-3,)),
    "a Slice of every axis": ("Slice(x, zeros, all)", (-3,)),
    "channels made of pixels": ("SpaceToDepth<blocksize=2>(x)", (-3,)),
    "a border of channels": ("Pad(x, thick)", (-3,)),
    "channels joined with pixels": ("Flatten<axis=1>(x)", (-3,)),
    "channels torn apart": ("Reshape(x, joined)", (-3, -2, -1)),
    "channels out of order": ("Flatten<axis=1>(x)", (-2, -3, -1)),
    "channels that are not side by side": ("Flatten<axis=1>(x)", (-3, -1)),
}


@pytest.mark.parametrize(("expression", "axes"), MIXED.values(), ids=MIXED)
def test_what_mixes_channels_is_an_obstacle(expression: str, axes: tuple[int, ...]) -> None:
    node = single(expression)
    with pytest.raises(Obstacle, match=f"^{node.op_type} 'y' does not keep the channels apart$"):
        carried(node, channels(axes), down=True)


def test_unknown_sizes_behind_the_channels_are_an_obstacle() -> None:
    node = single("Reshape(x, split)", "N,8,H,W")
    with pytest.raises(Obstacle, match=r"^Reshape 'y' does not keep the channels apart$"):
        carried(node, Channels((-3,), 4, (8,)), down=True)
    last = carried(single("Reshape(x, joined)", "N,H,W,8"), Channels((-1,), 4, (8,)), down=True)
    assert last == Channels((-1,), 2, (8,))


def test_an_unknown_rank_is_an_obstacle() -> None:
    with pytest.raises(Obstacle, match=r"^the rank of Transpose 'y' is unknown$"):
        carried(single("Transpose(x)"), Channels((-1,), None, (4,)), down=True)


@pytest.mark.parametrize(
    "expression",
    [
        "Relu(x)",
        "AveragePool<kernel_shape=[2,2], count_include_pad=1>(x)",
        "AveragePool<kernel_shape=[2,2], ceil_mode=1>(x)",
        'Pad<mode="edge">(x, pads)',
        "Pad(x, pads, k)",
        "ReduceMean(x)",
    ],
)
def test_other_operators_carry_nothing(expression: str) -> None:
    assert not carries(single(expression))


def test_conditions_say_what_stands_in_the_way() -> None:
    shift, negative = Affine(np.ones(2), np.ones(2)), Affine(-np.ones(2), np.zeros(2))
    (border,), (most,) = conditions(single("Pad(x, pads)")), conditions(single("GlobalMaxPool(x)"))
    assert (border.holds(shift), border.holds(negative)) == (False, True)
    assert (most.holds(shift), most.holds(negative)) == (True, False)
    assert border.obstacle == "Pad 'y' adds zeros, which a shift would change"
    assert most.obstacle == "GlobalMaxPool 'y' is no maximum after a negative scale"


@st.composite
def factors(draw: st.DrawFn) -> list[int]:
    """A shape of up to five axes."""
    return draw(st.lists(st.integers(1, 4), min_size=1, max_size=5))


@given(st.data())
def test_reshaped_channels_are_where_their_numbers_are(data: st.DataObject) -> None:
    """Numbers that say which channel they are of, reshaped, still say so on the axes that are named."""
    head, block, tail = data.draw(factors()), data.draw(factors()), data.draw(factors())
    old = [prod(head), *block, *tail]
    new = data.draw(st.sampled_from([[prod(head), prod(block), prod(tail)], [*head, *block, prod(tail)], [prod(old)]]))
    node = ir.node("Reshape", [ir.Value(name="x", shape=ir.Shape(old)), None])
    node.outputs[0].shape = ir.Shape(new)
    before = Channels(tuple(range(1 - len(old), 1 - len(old) + len(block))), len(old), tuple(block))
    own = np.arange(prod(block)).reshape(1, *block, *(1 for _ in tail))
    numbers = np.broadcast_to(own, old).reshape(new)
    try:
        after = carried(node, before, down=True)
    except Obstacle:
        assert new == [prod(old)] and prod(old) > prod(block)
        return
    names = np.moveaxis(numbers, after.axes, range(-len(after.axes), 0)).reshape(-1, prod(block))
    assert (names == np.arange(prod(block))).all()
