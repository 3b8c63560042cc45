"""How kernels can be parted, and the ranks at which nothing is lost."""

from __future__ import annotations

from typing import get_args

import pytest

from made_layers import layer
from onnxpress_plugins.decomposition.ways import FormName, Way, ways


@pytest.mark.parametrize(
    ("shape", "form", "expected"),
    [
        ((8, 6, 3, 5), "spatial", [Way("spatial", (0,)), Way("spatial", (1,))]),
        ((8, 6, 1, 5), "spatial", [Way("spatial", (0,))]),
        ((8, 6, 3), "spatial", [Way("channel", (0,))]),
        ((8, 6, 1, 1), "spatial", [Way("low_rank", (0, 1))]),
        ((8, 6), "tucker2", [Way("low_rank", ())]),
        ((8, 6, 3, 5), "channel", [Way("channel", (0, 1))]),
        ((8, 6, 3, 5), "tucker2", [Way("tucker2")]),
        (
            (8, 6, 2, 3, 4),
            "spatial",
            [Way("spatial", axes) for axes in [(0,), (1,), (2,), (0, 1), (0, 2), (1, 2)]],
        ),
        (
            (8, 6, 3, 5),
            "auto",
            [Way("spatial", (0,)), Way("spatial", (1,)), Way("channel", (0, 1)), Way("tucker2")],
        ),
    ],
)
def test_every_form(shape: tuple[int, ...], form: FormName, expected: list[Way]) -> None:
    assert list(ways(form, layer(*shape))) == expected


@pytest.mark.parametrize(
    ("way", "ranks"),
    [
        (Way("spatial", (0,)), (18,)),
        (Way("spatial", (1,)), (24,)),
        (Way("channel", (0, 1)), (8,)),
        (Way("tucker2"), (6, 8)),
    ],
)
def test_full_ranks(way: Way, ranks: tuple[int, ...]) -> None:
    assert way.full_ranks(layer(8, 6, 3, 5)) == ranks


@pytest.mark.parametrize("form", get_args(FormName))
def test_a_stack_tells_its_way(form: FormName) -> None:
    for own in (layer(8, 6), layer(8, 6, 3), layer(8, 6, 1, 1), layer(8, 6, 3, 5)):
        found = ways(form, own)
        assert tuple(Way.of(way.stack(own, (1,) * len(way.full_ranks(own)))) for way in found) == found
