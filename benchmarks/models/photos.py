"""Real photographs for EfficientNet-Lite0: labelled ImageNet ones to judge by, unlabelled ones to calibrate on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from models.packages import files_of

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

    Pixels = NDArray[np.float32]

CALIBRATION_PHOTOS = (
    "astronaut.png",
    "chelsea.png",
    "coffee.png",
    "hubble_deep_field.jpg",
    "ihc.png",
    "motorcycle_left.png",
    "retina.jpg",
    "rocket.jpg",
)
"""The colour photographs inside scikit-image's wheel."""


def labelled(size: int) -> tuple[Pixels, NDArray[np.int64]]:
    """The 20 ImageNet photos of PyPI ``foolbox``, normalised, and their classes.

    Returns:
        float32[20, size, size, 3] and int64[20]; the class is the last number of the file's name.
    """
    paths = files_of("foolbox", "imagenet_[01][0-9]_*.jpg")
    labels = [int(path.stem.rsplit("_", 1)[1]) for path in paths]
    return np.stack([_central(_open(path), size) for path in paths]), np.array(labels)


def unlabelled(count: int, size: int, *, seed: int) -> Pixels:
    """Random crops of scikit-image's photographs, normalised: float32[count, size, size, 3].

    A crop is a square of 50 to 100 % of the photo's shorter side, resized, mirrored half of the time.
    """
    from PIL import Image

    generator = np.random.default_rng(seed)
    folder = {path.name: path for path in files_of("scikit-image", "*.*")}
    photos = [_open(folder[name]) for name in CALIBRATION_PHOTOS]
    crops = []
    for number in range(count):
        photo = photos[number % len(photos)]
        side = int(min(photo.size) * generator.uniform(0.5, 1.0))
        left, top = (int(generator.integers(extent - side + 1)) for extent in photo.size)
        crop = photo.resize((size, size), Image.Resampling.BICUBIC, (left, top, left + side, top + side))
        pixels = np.asarray(crop)
        crops.append(pixels[:, ::-1] if generator.random() < 0.5 else pixels)
    return _normalised(np.stack(crops))


def _open(path: Path) -> Image:
    from PIL import Image

    return Image.open(path).convert("RGB")


def _central(photo: Image, size: int) -> Pixels:
    """The central square of ``size / (size + 32)`` of the shorter side, as EfficientNet's evaluation crops it."""
    from PIL import Image

    side = min(photo.size) * size / (size + 32)
    left, top = ((extent - side) / 2 for extent in photo.size)
    box = (left, top, left + side, top + side)
    return _normalised(np.asarray(photo.resize((size, size), Image.Resampling.BICUBIC, box)))


def _normalised(pixels: NDArray[np.uint8]) -> Pixels:
    return (pixels.astype(np.float32) - np.float32(127)) / np.float32(128)
