"""HED's task: crops of photographs to calibrate on and others to be judged on, and how well two edge maps agree.

The photographs are those inside scikit-image's wheel, which need no network to be had.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from models.packages import files_of
from models.real_files import CAFFE_MEAN

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Maps = NDArray[np.float32]

SIZE = 256
CALIBRATION = ("astronaut.png", "coffee.png", "motorcycle_left.png", "ihc.png", "brick.png", "coins.png")
TEST = ("chelsea.png", "rocket.jpg", "retina.jpg", "hubble_deep_field.jpg", "camera.png", "grass.png")


def crops(photos: Sequence[str], each: int, *, seed: int) -> Maps:
    """Random crops, `each` of every photograph in turns, as HED takes them: float32[N, SIZE, SIZE, 3]."""
    from PIL import Image

    generator = np.random.default_rng(seed)
    folder = {path.name: path for path in files_of("scikit-image", "*.*")}
    pixels = [np.asarray(Image.open(folder[name]).convert("RGB"), np.float32) for name in photos]
    found = []
    for _ in range(each):
        for photo in pixels:
            top, left = (int(generator.integers(extent - SIZE + 1)) for extent in photo.shape[:2])
            found.append(photo[top : top + SIZE, left : left + SIZE, ::-1] - CAFFE_MEAN)
    return np.stack(found)


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How alike edge maps are, each figure a mean over the pictures that have an edge.

    Attributes:
        error: Mean absolute difference of the probability of an edge.
        overlap: Pixels that both call an edge (probability above 0.5), over those that either does.
        correlation: Of the probabilities.
    """

    error: float
    overlap: float
    correlation: float


def agreement(expected: Maps, found: Maps) -> Agreement:
    """Compare probabilities ``(N, ...)`` of the original network with those of another.

    A picture where the original network finds no edge is left out: agreement on nothing is no merit.
    """
    pairs = [pair for pair in zip(expected, found, strict=True) if (pair[0] > 0.5).any()]
    return Agreement(
        error=float(np.mean([np.abs(before - after).mean() for before, after in pairs])),
        overlap=float(np.mean([_overlap(before > 0.5, after > 0.5) for before, after in pairs])),
        correlation=float(
            np.mean([np.corrcoef(before.reshape(-1), after.reshape(-1))[0, 1] for before, after in pairs])
        ),
    )


def _overlap(before: NDArray[np.bool_], after: NDArray[np.bool_]) -> float:
    return np.count_nonzero(before & after) / np.count_nonzero(before | after)
