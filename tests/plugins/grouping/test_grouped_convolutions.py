"""The weights of a grouped convolution are those of its groups, one after the other."""

from __future__ import annotations

import numpy as np
import pytest

from calibrated import graph, numbers
from onnxpress_plugins.folding.affine import Obstacle
from onnxpress_plugins.grouping.grouped_convolutions import grouped

INPUTS = "float[N,2,5,5] x, float[N,4,5,5] z, float[3] given"
WEIGHTS = {"w1": numbers(3, 2, 2, 2), "w2": numbers(6, 2, 2, 2, seed=1), "b1": numbers(3), "b2": numbers(6)}


def convolutions(one: str, other: str) -> list:  # type: ignore[type-arg]
    made = graph(f"c = {one} d = {other} y = Concat<axis = 1>(c, d)", x=INPUTS, **WEIGHTS)
    return list(made.graph)[:2]


def test_groups_add_up() -> None:
    whole = grouped(convolutions("Conv(x, w1)", "Conv<group = 2>(z, w2)"))
    assert whole.groups == 3 and whole.bias is None
    np.testing.assert_array_equal(whole.weight, np.concatenate([WEIGHTS["w1"], WEIGHTS["w2"]]))


def test_a_missing_bias_is_zero() -> None:
    whole = grouped(convolutions("Conv(x, w1)", "Conv<group = 2>(z, w2, b2)"))
    np.testing.assert_array_equal(whole.bias, np.concatenate([np.zeros(3, np.float32), WEIGHTS["b2"]]))


def test_attributes_left_out_are_equal_to_their_defaults() -> None:
    other = 'Conv<group = 2, kernel_shape = [2, 2], strides = [1, 1], pads = [0, 0, 0, 0], auto_pad = "NOTSET">(z, w2)'
    assert grouped(convolutions("Conv(x, w1)", other)).groups == 3


@pytest.mark.parametrize(
    ("one", "other", "why"),
    [
        (
            "Conv(x, w1)",
            "Conv<dilations = [1, 2], pads = [0, 0, 0, 1]>(x, w1)",
            "Conv 'c' and Conv 'd' differ in kernel size",
        ),
        (
            "Conv(x, w1)",
            "Conv(x, w2)",
            "the parts are not equal: in each group Conv 'c' makes 3 channels of 2, Conv 'd' makes 6",
        ),
        ("Conv(x, w1, given)", "Conv(x, w1)", "the bias 'given' of Conv 'c' is no constant"),
    ],
)
def test_what_cannot_be_one(one: str, other: str, why: str) -> None:
    with pytest.raises(Obstacle) as caught:
        grouped(convolutions(one, other))
    assert str(caught.value).startswith(why)
