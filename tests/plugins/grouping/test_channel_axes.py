"""The channels of the input that the rules name are those that the output's channel depends on, and no others."""

from __future__ import annotations

import numpy as np
import pytest

from calibrated import graph, numbers
from onnxpress.runtime import Session
from onnxpress_plugins.folding.affine import Obstacle
from onnxpress_plugins.grouping.channel_axes import input_axes, keeps_channels

CONSTANTS = {
    "last": np.array([-1]),
    "first": np.array([0]),
    "pads": np.array([0, 0, 1, 0, 0, 0, 0, 2]),
    "scale": np.abs(numbers(4)) + np.float32(0.5),
    "low": np.float32(-1),
}

KEPT = {
    "Relu": ("Relu(x)", 1),
    "Clip": ("Clip(x, low)", 1),
    "Transpose": ("Transpose<perm = [0, 2, 3, 1]>(x)", 3),
    "Transpose without an order": ("Transpose(x)", 2),
    "Unsqueeze": ("Unsqueeze(x, last)", 1),
    "Unsqueeze before the channels": ("Unsqueeze(x, first)", 2),
    "Squeeze": ("Squeeze(x, last)", 1),
    "MaxPool": ("MaxPool<kernel_shape = [2, 1]>(x)", 1),
    "Pad": ("Pad(x, pads)", 1),
    "BatchNormalization": ("BatchNormalization(x, scale, scale, scale, scale)", 1),
}


@pytest.mark.parametrize(("node", "axis"), KEPT.values(), ids=KEPT)
def test_one_channel_of_the_input_changes_one_of_the_output(node: str, axis: int) -> None:
    made = graph(f"y = {node}", x="float[2,4,3,1] x", **CONSTANTS)
    assert keeps_channels(made.graph[0])
    (place, *_) = input_axes(made.graph[0], axis)
    assert place is not None
    plain = numbers(2, 4, 3, 1)
    changed = np.copy(plain)
    channel = 1 % plain.shape[place]
    np.moveaxis(changed, place, 0)[channel] += 1
    before, after = (next(iter(Session(made, threads=1).run({"x": x}).values())) for x in (plain, changed))
    differs = np.moveaxis(before != after, axis, 0).reshape(before.shape[axis], -1).any(1)
    assert np.flatnonzero(differs).tolist() == [channel]


def test_operands_are_aligned_from_the_end() -> None:
    made = graph("y = Add(x, bias)", bias=numbers(4, 1, 1))
    assert input_axes(made.graph[0], 1) == [1, 0]
    assert input_axes(made.graph[0], 0) == [0, None]
    assert input_axes(graph("y = Where(c, x, low)", x="float[N,4,8,8] x, bool[8] c", **CONSTANTS).graph[0], 3) == [
        0,
        3,
        None,
    ]


def test_statistics_have_their_channels_first() -> None:
    made = graph("y = BatchNormalization(x, scale, scale, scale, scale)", **CONSTANTS)
    assert input_axes(made.graph[0], 1) == [1, 0, 0, 0, 0]


MIXED = {
    "Softmax(x)": "Softmax 'y' does not treat every channel by itself",
    "MaxPool<kernel_shape = [2, 2]>(x)": "MaxPool 'y' does not keep axis 3 apart",
    "Pad(x, pads)": "Pad 'y' does not keep axis 3 apart",
    "Pad(x, computed)": "Pad 'y' does not keep axis 3 apart",
    "Unsqueeze(x, place)": "Unsqueeze 'y' does not keep axis 3 apart",
}


@pytest.mark.parametrize(("node", "why"), MIXED.items(), ids=MIXED)
def test_where_channels_meet(node: str, why: str) -> None:
    made = graph(f"y = {node}", x="float[N,4,8,8] x, int64[8] computed", place=np.array([3]), **CONSTANTS)
    with pytest.raises(Obstacle) as caught:
        input_axes(made.graph[0], 3)
    assert str(caught.value) == why


def test_an_unknown_rank() -> None:
    made = graph("y = Relu(x)")
    made.graph[0].outputs[0].shape = None
    with pytest.raises(Obstacle, match=r"^the rank of what Relu 'y' takes and gives is unknown$"):
        input_axes(made.graph[0], 1)
