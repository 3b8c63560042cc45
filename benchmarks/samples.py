"""Made-up images for measuring cost: as many as wanted, all different, none kept in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Feeds = Mapping[str, NDArray[Any]]


def images(name: str, count: int, *, size: int = 224, seed: int = 0) -> Callable[[], Iterator[Feeds]]:
    """A function that yields `count` feeds float32[1, size, size, 3] for the input `name`.

    One noise image is scaled anew for each, so that making them costs next to nothing.
    """
    noise = np.random.default_rng(seed).standard_normal((1, size, size, 3), dtype=np.float32)

    def generate() -> Iterator[Feeds]:
        scales = np.random.default_rng(seed + 1)
        for _ in range(count):
            yield {name: noise * np.float32(scales.uniform(0.5, 1.5))}

    return generate
