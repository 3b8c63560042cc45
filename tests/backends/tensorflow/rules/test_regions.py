"""RoiAlign and MaxRoiPool against onnxruntime."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from one_node import FEW, case, normal

Agree = Callable[..., list[str]]
X = normal(2, 3, 7, 6)


def regions(seed: int, number: int) -> np.ndarray:
    """Corners of rectangles, some of them partly outside."""
    random = np.random.default_rng(seed)
    start = random.random((number, 2)) * 8 - 1
    return np.concatenate([start, start + random.random((number, 2)) * 8], axis=1).astype(np.float32)


@settings(FEW, max_examples=6)
@given(seed=st.integers(0, 99), ratio=st.integers(0, 2), scale=st.sampled_from([1.0, 0.5]), size=st.integers(1, 3))
@pytest.mark.parametrize("mode", ["avg", "max"])
@pytest.mark.parametrize("coordinates", ["half_pixel", "output_half_pixel"])
def test_align(agree: Agree, mode: str, coordinates: str, seed: int, ratio: int, scale: float, size: int):
    inputs = {"x": X, "r": regions(seed, 3), "b": np.array([1, 0, 1])}
    node = case(
        "RoiAlign",
        inputs,
        opset=16,
        mode=mode,
        coordinate_transformation_mode=coordinates,
        sampling_ratio=ratio,
        spatial_scale=scale,
        output_height=size,
        output_width=2,
    )
    agree(node.model, node.feeds)


def test_no_regions(run_tensorflow: Callable[..., dict[str, np.ndarray]]):
    inputs = {"x": X, "r": np.zeros((0, 4), np.float32), "b": np.zeros(0, np.int64)}
    node = case("RoiAlign", inputs, opset=16, output_height=2, output_width=2)
    assert run_tensorflow(node.model, node.feeds)["y0"].shape == (0, 3, 2, 2)


@settings(FEW, max_examples=6)
@given(seed=st.integers(0, 99), scale=st.sampled_from([1.0, 0.5]), shape=st.sampled_from([[1, 1], [2, 3], [4, 4]]))
def test_max_pool(agree: Agree, seed: int, scale: float, shape: list[int]):
    corners = np.abs(np.round(regions(seed, 3)))
    rois = np.concatenate([[[0], [1], [1]], corners], axis=1).astype(np.float32)
    node = case("MaxRoiPool", {"x": X, "r": rois}, opset=16, pooled_shape=shape, spatial_scale=scale)
    agree(node.model, node.feeds)
