"""GridSample and AffineGrid against onnxruntime."""

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
    data=st.data(),
    mode=st.sampled_from(["linear", "nearest", "cubic"]),
    padding=st.sampled_from(["zeros", "border", "reflection"]),
    corners=st.integers(0, 1),
)
def test_any_mode(agree: Agree, data: st.DataObject, mode: str, padding: str, corners: int):
    rank = 2 if mode == "cubic" else data.draw(st.sampled_from([2, 3]))
    sizes = data.draw(st.lists(st.integers(2, 4), min_size=rank, max_size=rank))
    inputs = {"x": normal(2, 3, *sizes), "g": normal(2, *sizes[::-1], rank, seed=1) * np.float32(1.2)}
    unknown = data.draw(st.sampled_from([(), ("x", "g")]))
    attributes = {"mode": mode, "padding_mode": padding, "align_corners": corners}
    node = case("GridSample", inputs, unknown=unknown, opset=20, **attributes)
    agree(node.model, node.feeds, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("size", [[2, 3, 4, 5], [2, 1, 2, 3, 4]])
@pytest.mark.parametrize("corners", [0, 1])
@pytest.mark.parametrize("constants", [(), ("s",)])
def test_affine_grid(agree: Agree, size: list[int], corners: int, constants: tuple[str, ...]):
    rank = len(size) - 2
    inputs = {"t": normal(2, rank, rank + 1), "s": np.array(size)}
    node = case("AffineGrid", inputs, constants=constants, opset=20, align_corners=corners)
    agree(node.model, node.feeds)
