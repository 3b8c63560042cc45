"""AMCT's choice of layers and of the axis that comes first."""

from __future__ import annotations

import pytest

from made_layers import layer
from onnxpress.decomposition.layer_stacks import Layer
from onnxpress_plugins.decomposition.ranks.amct_rule import amct_ways, obstacle


@pytest.mark.parametrize(
    ("own", "reason"),
    [
        (layer(64, 64, 3, 3), None),
        (layer(3, 64, 7, 7), None),
        (layer(64, 63, 3, 3), "it is too small"),
        (layer(64, 2, 7, 7), "it is too small"),
        (layer(64, 64, 2, 7), "it is too small"),
        (layer(64, 64, 3, 3, strides=(2, 2)), None),
        (layer(64, 64, 3, 3, strides=(3, 3)), "it has a stride above 2"),
        (layer(64, 64, 3, 3, dilations=(2, 2)), "it is dilated"),
        (layer(64, 64, 3), "it is no 2-D convolution"),
        (layer(64, 64, 3, 3, 3), "it is no 2-D convolution"),
    ],
)
def test_what_it_touches(own: Layer, reason: str | None) -> None:
    assert obstacle(own) == reason
    assert bool(amct_ways(own)) == (reason is None)


@pytest.mark.parametrize(
    ("shape", "first"),
    [((128, 64, 3, 5), 0), ((128, 64, 5, 3), 1), ((64, 128, 3, 5), 1), ((64, 128, 5, 3), 0), ((64, 64, 3, 3), 0)],
)
def test_the_shorter_axis_goes_with_fewer_channels(shape: tuple[int, ...], first: int) -> None:
    (way,) = amct_ways(layer(*shape))
    assert (way.form, way.first_axes) == ("spatial", (first,))
