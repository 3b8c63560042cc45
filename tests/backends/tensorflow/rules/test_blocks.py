"""DepthToSpace and SpaceToDepth against onnxruntime, channels last."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from one_node import case, normal

Agree = Callable[..., list[str]]


@pytest.mark.parametrize("mode", ["DCR", "CRD"])
@pytest.mark.parametrize("unknown", [(), ("x",)])
def test_depth_to_space(agree: Agree, mode: str, unknown: tuple[str, ...]):
    node = case("DepthToSpace", {"x": normal(2, 18, 2, 5)}, unknown=unknown, opset=13, blocksize=3, mode=mode)
    agree(node.model, node.feeds)


def test_space_to_depth(agree: Agree, agree_on_image: Agree):
    node = case("SpaceToDepth", {"x": normal(2, 3, 4, 6)}, opset=13, blocksize=2)
    agree(node.model, node.feeds)
    assert "SpaceToDepth" in agree_on_image("d = SpaceToDepth<blocksize = 2>(c)", x=normal(1, 4, 6, 3))


def test_space_to_depth_undoes_depth_to_space_in_both_modes(run_tensorflow: Callable[..., dict[str, np.ndarray]]):
    for mode in ("DCR", "CRD"):
        x = normal(1, 8, 3, 2)
        spread = case("DepthToSpace", {"x": x}, opset=28, blocksize=2, mode=mode)
        y = run_tensorflow(spread.model, spread.feeds)["y0"]
        back = case("SpaceToDepth", {"x": y}, opset=28, blocksize=2, mode=mode)
        np.testing.assert_array_equal(run_tensorflow(back.model, back.feeds)["y0"], x)
