"""Training batches whose pictures are shifted by up to one pixel and mirrored at random.

What a batch holds depends on the seed, the epoch and the batch's place alone, not on which thread asks for it.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from fashion_mnist import Bytes, Split
from numpy.typing import NDArray

SHIFT = 1


class ShiftedAndMirrored(keras.utils.PyDataset):  # type: ignore[misc]  # keras carries no types
    """Batches of (float32[batch, 28, 28, 1] in 0..1, labels); the last, incomplete batch of an epoch is left out."""

    def __init__(self, split: Split, *, batch: int, brightest: int, seed: int, **options: Any) -> None:
        super().__init__(**options)
        self.split, self.batch, self.brightest, self.seed = split, batch, brightest, seed
        self.epoch = 0
        self.order = self._draw_order()

    def __len__(self) -> int:
        return len(self.split.labels) // self.batch

    def __getitem__(self, place: int) -> tuple[NDArray[np.float32], Bytes]:
        generator = np.random.default_rng((self.seed, self.epoch, 1 + place))
        chosen = self.order[place * self.batch : (place + 1) * self.batch]
        images = mirrored(shifted(self.split.images[chosen], generator), generator)
        return images.astype(np.float32) / np.float32(self.brightest), self.split.labels[chosen]

    def on_epoch_end(self) -> None:
        """Shuffle anew (Keras calls this between epochs)."""
        self.epoch += 1
        self.order = self._draw_order()

    def _draw_order(self) -> NDArray[np.int64]:
        return np.random.default_rng((self.seed, self.epoch, 0)).permutation(len(self.split.labels))


def shifted(images: Bytes, generator: np.random.Generator) -> Bytes:
    """Move every picture by -SHIFT..SHIFT pixels each way, black moving in."""
    height, width = images.shape[1:3]
    padded = np.pad(images, ((0, 0), (SHIFT, SHIFT), (SHIFT, SHIFT), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (height, width), axis=(1, 2))
    down, right = generator.integers(0, 2 * SHIFT + 1, (2, len(images)))
    return np.moveaxis(windows[np.arange(len(images)), down, right], 1, -1)


def mirrored(images: Bytes, generator: np.random.Generator) -> Bytes:
    """Flip every second picture, on average, left to right."""
    return np.where(generator.random((len(images), 1, 1, 1)) < 0.5, images[:, :, ::-1], images)
