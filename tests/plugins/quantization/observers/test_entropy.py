"""Entropy: it clips tails at both ends, and what matters is not the zeros."""

from __future__ import annotations

import numpy as np
import pytest

from distributions import SHAPES, SIZE, tracker
from onnxpress_plugins.quantization.histogram import Histogram
from onnxpress_plugins.quantization.observers.entropy import ENTROPY


def test_entropy_ignores_the_zeros_of_a_relu() -> None:
    positive, zeros = np.abs(SHAPES["laplace"]), np.zeros(SIZE, np.float32)
    assert tracker(ENTROPY, positive, *[zeros] * 10).range()[1] == tracker(ENTROPY, positive).range()[1]


@pytest.mark.parametrize("shape", ["normal", "laplace", "student", "rectified", "never positive"])
def test_no_wider_or_narrower_range_diverges_less(shape: str) -> None:
    """Against Migacz's algorithm as he wrote it, on single candidates, with loops instead of prefix sums."""
    made = tracker(ENTROPY, SHAPES[shape])
    low, high = made.range()
    histogram = made.histogram
    below, above = (round(abs(end) / histogram.width) for end in (min(low, 0), max(high, 0)))
    found = divergence(histogram, min(below, histogram.below), min(above, histogram.above))
    for share in (0.25, 0.5, 0.75, 1.0):
        candidate = round(histogram.below * share), max(round(histogram.above * share), 1)
        assert found <= divergence(histogram, *candidate) + 1e-9


def divergence(histogram: Histogram, below: int, above: int) -> float:
    counts = histogram.occupied().astype(float)
    zero = histogram.below
    counts[zero] = counts[zero + 1] if histogram.above > 1 else counts[zero]
    counts[zero - 1] = counts[zero - 2] if histogram.below > 1 else counts[zero - 1]
    inside = counts[zero - below : zero + above]
    if inside.size < 256 or not inside.any():
        return float("inf")
    p, q = inside.copy(), np.zeros_like(inside)
    p[0] += counts[: zero - below].sum()
    p[-1] += counts[zero + above :].sum()
    for level in range(256):
        group = slice(level * inside.size // 256, (level + 1) * inside.size // 256)
        filled = inside[group] > 0
        q[group][filled] = inside[group].sum() / max(filled.sum(), 1)
    edges = [edge for edge in (0, -1) if p[edge] and not q[edge]]  # an empty bin that clipping fills: as its group
    for edge, group in ((0, slice(0, inside.size // 256)), (-1, slice(255 * inside.size // 256, None))):
        if edge in edges:
            q[edge] = inside[group].sum() / max((inside[group] > 0).sum(), 1)
    if ((p > 0) & (q == 0)).any():
        return float("inf")
    some = p > 0
    return float((p[some] / p.sum() * np.log(p[some] / p.sum() / (q[some] / inside.sum()))).sum())
