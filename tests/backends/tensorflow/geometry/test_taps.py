"""Elements picked along an axis and put together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from formulas import by_tensorflow
from onnxpress_backends.tensorflow.geometry.taps import Taps, reduced
from onnxpress_backends.tensorflow.geometry.terms import Term


@pytest.mark.parametrize("place", [0, 1, 2])
def test_any_axis(tf: Any, tmp_path: Path, place: int):
    x = np.random.default_rng(0).standard_normal((4, 4, 4)).astype(np.float32)
    positions = np.array([[0, 1, 3], [2, 2, 1]], np.int32)
    weights = np.array([[1, 2, 3], [0.5, 0.25, -1]], np.float32)
    picked = np.moveaxis(np.take(x, positions, axis=place), (place, place + 1), (-2, -1))

    def largest(tensor: Term, where: Term, _: Term) -> Any:
        return reduced(tensor.call, tensor.tensor, place, 3, Taps(positions=where), "Max")

    def total(tensor: Term, where: Term, shares: Term) -> Any:
        return reduced(tensor.call, tensor.tensor, place, 3, Taps(positions=where, weights=shares), "Sum")

    result = by_tensorflow(largest, x, positions, weights, folder=tmp_path)
    np.testing.assert_array_equal(result, np.moveaxis(picked.max(-1), -1, place))
    result = by_tensorflow(total, x, positions, weights, folder=tmp_path)
    np.testing.assert_allclose(result, np.moveaxis((picked * weights).sum(-1), -1, place), rtol=1e-6)
