"""CIFAR pictures: the 20 labelled ones of CIFAR-10 and the 20 of CIFAR-100 inside PyPI ``foolbox``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.packages import files_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Pixels = NDArray[np.float32]


def cifar10() -> tuple[Pixels, NDArray[np.int64]]:
    """Pixels float32[20, 32, 32, 3] from 0 to 255, and classes int64[20]."""
    return _pictures("cifar10")


def unlabelled() -> Pixels:
    """The CIFAR-100 pictures and their mirror images, to calibrate on: float32[40, 32, 32, 3] from 0 to 255."""
    pixels, _ = _pictures("cifar100")
    return np.concatenate([pixels, pixels[:, :, ::-1]])


def _pictures(name: str) -> tuple[Pixels, NDArray[np.int64]]:
    from PIL import Image

    paths = files_of("foolbox", f"{name}_[01][0-9]_*.png")
    labels = [int(path.stem.rsplit("_", 1)[1]) for path in paths]
    return np.stack([np.asarray(Image.open(path).convert("RGB"), np.float32) for path in paths]), np.array(labels)
