"""The algebra of layouts, against numpy."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from onnxpress_backends.tensorflow.layout.layouts import (
    Layout,
    channels_last,
    last,
    logical,
    move,
    moves_nothing,
    transposed,
)

RANK = 4
perms = st.permutations(range(RANK)).map(tuple)
sizes = st.lists(st.integers(1, 3), min_size=RANK, max_size=RANK)


def array(shape: list[int]) -> np.ndarray:
    return np.arange(np.prod(shape)).reshape(shape)


@given(perms, perms, sizes)
def test_a_transpose_leaves_the_tensor_and_changes_the_layout(
    stored: tuple[int, ...], perm: tuple[int, ...], shape: list[int]
) -> None:
    value = array(shape)
    tensor = value.transpose(stored)
    after = transposed(Layout(stored), perm)
    np.testing.assert_array_equal(value.transpose(perm).transpose(after.perm), tensor)


@given(perms, perms, sizes)
def test_moving_from_one_layout_to_another(start: tuple[int, ...], end: tuple[int, ...], shape: list[int]) -> None:
    value = array(shape)
    moved = value.transpose(start).transpose(move(Layout(start), Layout(end)))
    np.testing.assert_array_equal(moved, value.transpose(end))


@given(perms, sizes)
def test_a_move_is_a_reshape_exactly_when_only_axes_of_size_one_move(perm: tuple[int, ...], shape: list[int]) -> None:
    value = array(shape)
    moved = value.transpose(perm)
    assert moves_nothing(perm, shape) == bool((moved.reshape(-1) == value.reshape(-1)).all())


@given(perms, st.integers(-RANK, RANK - 1), sizes)
def test_an_axis_is_found_in_memory(perm: tuple[int, ...], axis: int, shape: list[int]) -> None:
    layout = Layout(perm)
    assert layout.arrange(shape)[layout.axis(axis)] == shape[axis]
    assert last(layout, axis).axis(axis) == RANK - 1


def test_channels_last() -> None:
    assert [channels_last(rank).perm for rank in (3, 4, 5)] == [(0, 2, 1), (0, 2, 3, 1), (0, 2, 3, 4, 1)]
    assert logical(3).is_logical
    assert not channels_last(4).is_logical
