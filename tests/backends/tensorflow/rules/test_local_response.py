"""LRN: TensorFlow's operator for images and odd windows, a sum over windows for the others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

Agree = Callable[..., list[str]]

IMAGE = np.random.default_rng(0).standard_normal((2, 6, 4, 5)).astype(np.float32)


@pytest.mark.parametrize("size", [1, 3, 5])
def test_odd_windows_over_an_image_take_one_operator(agree_on_image: Agree, size: int):
    assert "LRN" in agree_on_image(f"d = LRN<size = {size}, alpha = 0.3, beta = 0.6, bias = 1.5>(c)")


@pytest.mark.parametrize("size", [2, 3, 4])
def test_the_definition_where_tensorflow_has_no_operator(emitted: Callable[..., Callable[..., Any]], size: int):
    node = f"LRN<size = {size}, alpha = 0.25, beta = 0.5, bias = 1.5>(x)"
    run = emitted(f"agraph (double[2,6,n] x) => (double[2,6,n] y) {{ y = {node} }}")
    x = IMAGE[..., 0].astype(np.float64)
    padded = np.pad(x * x, ((0, 0), ((size - 1) // 2, size // 2), (0, 0)))
    total = sum(padded[:, start : start + 6] for start in range(size))
    np.testing.assert_allclose(run(x), x / (1.5 + 0.25 / size * total) ** 0.5, rtol=1e-12)
