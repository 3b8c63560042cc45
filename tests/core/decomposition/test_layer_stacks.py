from __future__ import annotations

from typing import Any

import pytest

from made_layers import layer
from onnxpress.decomposition.layer_stacks import Layer, Stack
from onnxpress.errors import InvalidData

CONV = layer(8, 4, 3, 5, strides=(2, 3), pads=(1, 2, 3, 4), dilations=(1, 2))


def test_each_part_has_the_geometry_of_its_axes() -> None:
    first, last = Stack(layer=CONV, form="spatial", first_axes=(0,), ranks=(6,)).parts
    assert (first.name, last.name) == ("conv/decom_first", "conv/decom_last")
    assert (first.weight, first.bias, last.bias) == ("conv/decom_first/weight", "", "")
    assert (first.axes, first.weight_shape, last.axes, last.weight_shape) == ((0,), (6, 4, 3, 1), (1,), (8, 6, 1, 5))
    assert (first.strides, first.pads, first.dilations) == ((2, 1), (1, 0, 3, 0), (1, 1))
    assert (last.strides, last.pads, last.dilations) == ((1, 3), (0, 2, 0, 4), (1, 2))


def test_the_other_order() -> None:
    first, last = Stack(layer=CONV, form="spatial", first_axes=(1,), ranks=(6,)).parts
    assert (first.weight_shape, first.strides, first.pads) == ((6, 4, 1, 5), (1, 3), (0, 2, 0, 4))
    assert (last.weight_shape, last.strides, last.pads) == ((8, 6, 3, 1), (2, 1), (1, 0, 3, 0))


def test_a_channel_stack_has_its_kernel_first() -> None:
    first, last = Stack(layer=CONV, form="channel", first_axes=(0, 1), ranks=(6,)).parts
    assert (first.weight_shape, first.pads, last.weight_shape, last.pads) == (
        (6, 4, 3, 5),
        CONV.pads,
        (8, 6, 1, 1),
        (0, 0, 0, 0),
    )


def test_tucker_has_its_kernel_in_the_middle() -> None:
    first, core, last = Stack(layer=CONV, form="tucker2", ranks=(2, 3)).parts
    assert [part.weight_shape for part in (first, core, last)] == [(2, 4, 1, 1), (3, 2, 3, 5), (8, 3, 1, 1)]
    assert core.name == "conv/decom_core"
    assert (core.strides, core.pads, core.dilations) == (CONV.strides, CONV.pads, CONV.dilations)
    assert {first.strides, last.strides} == {(1, 1)}


def test_a_matrix_has_two_parts() -> None:
    first, last = Stack(layer=layer(8, 4), form="low_rank", ranks=(2,)).parts
    assert (first.weight_shape, last.weight_shape, first.strides, first.pads) == ((2, 4), (8, 2), (), ())


def test_a_stride_of_one_by_one_is_taken_first() -> None:
    pointwise = layer(8, 4, 1, 1, strides=(2, 2))
    first, last = Stack(layer=pointwise, form="low_rank", first_axes=(0, 1), ranks=(2,)).parts
    assert (first.strides, last.strides) == ((2, 2), (1, 1))


def test_pads_that_are_not_known_stay_unknown() -> None:
    stack = Stack(layer=layer(8, 4, 3, 3, pads=None), form="spatial", first_axes=(0,), ranks=(6,))
    assert [part.pads for part in stack.parts] == [None, None]


@pytest.mark.parametrize(
    "shape, form, axes",
    [
        ((8, 4, 3, 5), "spatial", ()),
        ((8, 4, 3, 5), "spatial", (0, 1)),
        ((8, 4, 3, 5), "spatial", (2,)),
        ((8, 4, 3, 5, 3), "spatial", (1, 0)),
        ((8, 4, 3, 5), "channel", (0,)),
        ((8, 4), "channel", ()),
        ((8, 4, 3, 5), "low_rank", (0, 1)),
        ((8, 4, 1, 1), "low_rank", (0,)),
        ((8, 4, 3, 5), "tucker2", (0,)),
        ((8, 4), "tucker2", ()),
    ],
)
def test_axes_that_a_form_cannot_have(shape: tuple[int, ...], form: Any, axes: tuple[int, ...]) -> None:
    ranks = (2, 2) if form == "tucker2" else (2,)
    with pytest.raises(InvalidData) as caught:
        Stack(layer=layer(*shape), form=form, first_axes=axes, ranks=ranks)
    assert str(caught.value) == f"layer 'conv', {list(shape)}, has no form {form!r} with the axes {list(axes)} first"


@pytest.mark.parametrize("form, ranks, wanted", [("channel", (2, 2), 1), ("channel", (0,), 1), ("tucker2", (2,), 2)])
def test_ranks_that_a_form_cannot_have(form: Any, ranks: tuple[int, ...], wanted: int) -> None:
    axes = (0, 1) if form == "channel" else ()
    with pytest.raises(InvalidData) as caught:
        Stack(layer=CONV, form=form, first_axes=axes, ranks=ranks)
    assert str(caught.value) == f"layer 'conv': the form {form!r} has {wanted} positive ranks, not {list(ranks)}"


def test_what_is_no_layer() -> None:
    with pytest.raises(InvalidData, match=r"^layer 'conv': no Conv has a weight of shape \[8, 0, 3\]$"):
        layer(8, 0, 3)
    with pytest.raises(InvalidData, match=r"^layer 'a': no MatMul has a weight of shape \[8, 4, 3\]$"):
        Layer(name="a", operator="MatMul", weight_shape=(8, 4, 3))
    with pytest.raises(InvalidData, match=r"^layer 'conv': a weight of shape \[8, 4, 3\] goes with 2 pads, not \[1\]$"):
        layer(8, 4, 3, pads=(1,))
