"""Samples of which is known what a good range is, and trackers that have seen them."""

from __future__ import annotations

from typing import Any

import numpy as np

from onnxpress.kinds import Observer
from onnxpress_plugins.quantization.histogram import DENSE, HistogramTracker

Sample = np.ndarray[Any, np.dtype[np.float32]]
RNG = np.random.default_rng(5)
SIZE = 32_000

# A heavy tail as calibration finds it: mostly small, a few far out, more to the left than to the right.
HEAVY = np.append(RNG.laplace(size=SIZE - 4), [-27.9, -20, 12, 15.6]).astype(np.float32)
_DRAWN = {
    "normal": RNG.normal(size=SIZE),
    "laplace": RNG.laplace(size=SIZE),
    "student": RNG.standard_t(4, SIZE),
    "rectified": np.maximum(RNG.standard_t(4, SIZE), 0),
    "shifted": RNG.normal(2, 1, SIZE),
    "saturated": np.clip(RNG.normal(2, 3, SIZE), 0, 6),
    "uniform": RNG.uniform(-1, 3, SIZE),
    "never negative": RNG.uniform(3, 7, SIZE),
    "never positive": -RNG.exponential(size=SIZE),
    "outlier": np.append(RNG.normal(size=SIZE - 1), 1000.0),
}
SHAPES = {name: sample.astype(np.float32) for name, sample in _DRAWN.items()}


def tracker(observer: Observer, *parts: Sample, **options: object) -> HistogramTracker:
    made = observer.build(**options)
    assert isinstance(made, HistogramTracker)
    for part in parts:
        for piece in np.array_split(part, 1 + part.size // DENSE):  # small enough to be counted in full
            made.update(piece, float(piece.min()), float(piece.max()))
    return made


def squared_error(sample: Sample, low: float, high: float) -> float:
    """Mean squared error of quantising to uint8, with zero in range."""
    low, high = min(low, 0.0), max(high, 0.0)
    scale = (high - low) / 255
    zero = round(-low / scale)
    quantised = np.clip(np.rint(sample / scale) + zero, 0, 255)
    return float(np.mean(((quantised - zero) * scale - sample) ** 2))


def extremes(sample: Sample) -> tuple[float, float]:
    return float(sample.min()), float(sample.max())
