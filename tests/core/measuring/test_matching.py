from __future__ import annotations

import pytest

from onnxpress.errors import UnsupportedModel
from onnxpress.kinds import Port
from onnxpress.measuring.matching import match


def port(name: str, *shape: int | str | None) -> Port:
    return Port(name=name, dtype="float32", shape=shape)


def test_names_win_over_positions() -> None:
    a, b = [port("x", "N", 3), port("y", "N", 3)], [port("y", "N", 3), port("x", "N", 3)]
    assert match(a, b, "input") == {"x": "x", "y": "y"}


def test_positions_when_shapes_agree() -> None:
    assert match([port("x", "N", 3)], [port("image:0", 1, 3)], "input") == {"x": "image:0"}
    assert match([port("x", None, 3)], [Port(name="z", dtype="float32", shape=None)], "input") == {"x": "z"}


@pytest.mark.parametrize(
    "other", [[port("z", "N", 4)], [port("z", "N", 3, 1)], [port("z", "N", 3), port("w", "N")], []]
)
def test_refuses_to_guess(other: list[Port]) -> None:
    with pytest.raises(
        UnsupportedModel, match=r"^the inputs of the two models do not correspond: x \['N', 3\] against"
    ):
        match([port("x", "N", 3)], other, "input")
