from __future__ import annotations

import pytest

from onnxpress.errors import UnsupportedModel
from onnxpress.kinds import Port
from onnxpress.measuring.matching import for_both, match


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


def test_sizes_that_one_fixes_hold_for_both() -> None:
    a = [port("image", "N", 3, "H", 8), port("mask", 4)]
    b = [port("mask", 4), port("image", 2, 3, 5, 8)]
    assert [item.shape for item in for_both(a, b)] == [(2, 3, 5, 8), (4,)]
    assert [item.shape for item in for_both(b, a)] == [(4,), (2, 3, 5, 8)]
    assert for_both([Port(name="x", dtype="float32", shape=None)], [port("x", 1)])[0].shape is None


def test_inputs_of_one_name_whose_axes_differ() -> None:
    a, b = [port("image", "N", 3, 8, 8)], [port("image", 1, 8, 8, 3)]
    with pytest.raises(UnsupportedModel) as caught:
        for_both(a, b)
    assert str(caught.value) == (
        "the inputs of the two models do not correspond: image ['N', 3, 8, 8] against image [1, 8, 8, 3]"
    )
    assert for_both([port("x", 2, 3)], [port("x", 4, 3)]) == [port("x", 2, 3)], "batches are the runner's to fit"


def test_integers_in_one_model_alone() -> None:
    a, b = port("x", "N", 3), Port(name="x", dtype="int8", shape=("N", 3))
    with pytest.raises(UnsupportedModel, match="input 'x' is float32 in one model and int8 in the other; compare mod"):
        for_both([a], [b])
    assert for_both([Port(name="x", dtype="int64", shape=("N", 3))], [b])
