"""DeformConv against onnxruntime."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from one_node import case, normal

Agree = Callable[..., list[str]]


@pytest.mark.parametrize("group", [1, 2])
@pytest.mark.parametrize("offset_group", [1, 2])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("unknown", [(), ("x", "o")])
def test_groups(agree: Agree, group: int, offset_group: int, masked: bool, unknown: tuple[str, ...]):
    inputs = {
        "x": normal(2, 4, 8, 7),
        "w": normal(6, 4 // group, 3, 2, seed=1),
        "o": normal(2, offset_group * 12, 3, 6, seed=2),
        "b": normal(6, seed=3) if masked else None,
        "m": abs(normal(2, offset_group * 6, 3, 6, seed=4)) if masked else None,
    }
    attributes = {"strides": [2, 1], "dilations": [1, 2], "pads": [0, 1, 0, 0], "kernel_shape": [3, 2]}
    node = case("DeformConv", inputs, unknown=unknown, opset=19, group=group, offset_group=offset_group, **attributes)
    agree(node.model, node.feeds, rtol=1e-4)
