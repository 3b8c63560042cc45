"""Models with random weights, and what writes them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Written = Callable[..., Path]
"""``written(model, name="model", **options)``: the folder or file."""


def weights(**shapes: tuple[int, ...]) -> dict[str, Any]:
    """Random float32 arrays between 0.2 and 1.2, for `onnxpress.testing.model`."""
    generator = np.random.default_rng(0)
    return {name: np.asarray(generator.uniform(0.2, 1.2, shape), np.float32) for name, shape in shapes.items()}
