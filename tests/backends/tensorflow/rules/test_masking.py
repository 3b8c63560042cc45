"""Trilu and ReverseSequence."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from one_node import FEW, case, normal

Agree = Callable[..., list[str]]


@FEW
@given(
    k=st.sampled_from([None, -6, -1, 0, 1, 2, 9]),
    upper=st.integers(0, 1),
    known=st.booleans(),
    unknown=st.sampled_from([(), ("x",)]),
)
def test_trilu(agree: Agree, k: int | None, upper: int, known: bool, unknown: tuple[str, ...]):
    inputs = {"x": normal(2, 4, 5), "k": None if k is None else np.array(k)}
    constants = ["k"] if known and k is not None else []
    node = case("Trilu", inputs, constants=constants, unknown=unknown, upper=upper)
    agree(node.model, node.feeds)


def test_trilu_in_any_layout(agree_on_image: Agree):
    assert set(agree_on_image("d = Trilu(c)")) == {"Placeholder", "Const", "SelectV2"}


def test_a_triangle_of_matrices_is_one_operator(agree: Agree):
    node = case("Trilu", {"x": normal(2, 4, 5)}, upper=0)
    assert "MatrixBandPart" in agree(node.model, node.feeds)


@pytest.mark.parametrize("axes", [(0, 1), (1, 0)])
def test_reverse_sequence(agree: Agree, axes: tuple[int, int]):
    time, batch = axes
    x = normal(4, 4, 3)
    node = case("ReverseSequence", {"x": x, "n": np.array([1, 2, 3, 4])}, time_axis=time, batch_axis=batch)
    agree(node.model, node.feeds)
