"""AMCT's choice of layers and of the axis that comes first."""

from __future__ import annotations

import pytest

from onnxpress.decomposition.layer_stacks import Layer
from onnxpress_plugins.decomposition.ranks.amct_rule import amct_ways, obstacle


def conv(*shape: int, stride: int = 1, dilation: int = 1) -> Layer:
    axes = len(shape) - 2
    return Layer(
        name="c",
        operator="Conv",
        weight="w",
        weight_shape=shape,
        strides=(stride,) * axes,
        pads=(0,) * 2 * axes,
        dilations=(dilation,) * axes,
    )


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        (conv(64, 64, 3, 3), None),
        (conv(3, 64, 7, 7), None),
        (conv(64, 63, 3, 3), "it is too small"),
        (conv(64, 2, 7, 7), "it is too small"),
        (conv(64, 64, 2, 7), "it is too small"),
        (conv(64, 64, 3, 3, stride=2), None),
        (conv(64, 64, 3, 3, stride=3), "it has a stride above 2"),
        (conv(64, 64, 3, 3, dilation=2), "it is dilated"),
        (conv(64, 64, 3), "it is no 2-D convolution"),
        (conv(64, 64, 3, 3, 3), "it is no 2-D convolution"),
    ],
)
def test_what_it_touches(layer: Layer, reason: str | None) -> None:
    assert obstacle(layer) == reason
    assert bool(amct_ways(layer)) == (reason is None)


@pytest.mark.parametrize(
    ("shape", "first"),
    [((128, 64, 3, 5), 0), ((128, 64, 5, 3), 1), ((64, 128, 3, 5), 1), ((64, 128, 5, 3), 0), ((64, 64, 3, 3), 0)],
)
def test_the_shorter_axis_goes_with_fewer_channels(shape: tuple[int, ...], first: int) -> None:
    (way,) = amct_ways(conv(*shape))
    assert (way.form, way.first_axes) == ("spatial", (first,))
