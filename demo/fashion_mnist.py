"""Fashion-MNIST from its idx files: the whole data set, and a small balanced choice of it.

An idx file is a big-endian header (two zero bytes, the element type, the rank, one uint32 per dimension)
followed by the elements in row-major order; see the format's description at the foot of http://yann.lecun.com/exdb/mnist.
"""

from __future__ import annotations

import gzip
import math
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")

Bytes = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class Split:
    """Pictures and what they show.

    Attributes:
        images: uint8[count, 28, 28, 1], raw pixels 0..255.
        labels: uint8[count], classes 0..9.
    """

    images: Bytes
    labels: Bytes


def read_idx(path: Path) -> Bytes:
    """Read one gzipped idx file of unsigned bytes.

    Raises:
        ValueError: the file is not idx, holds another element type, or is cut short.
    """
    content = gzip.decompress(path.read_bytes())
    zero, element_type, rank = struct.unpack_from(">HBB", content)
    if zero != 0 or element_type != 8:
        raise ValueError(f"{path} is not an idx file of unsigned bytes")
    shape = struct.unpack_from(f">{rank}I", content, 4)
    start = 4 + 4 * rank
    if len(content) - start != math.prod(shape):
        raise ValueError(f"{path} announces {math.prod(shape)} bytes and holds {len(content) - start}")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def read_split(folder: Path, *, prefix: str) -> Split:
    """Read the split whose files start with `prefix`: ``train`` (60,000 pictures) or ``t10k`` (10,000)."""
    images = read_idx(folder / f"{prefix}-images-idx3-ubyte.gz")
    return Split(images=images[..., np.newaxis], labels=read_idx(folder / f"{prefix}-labels-idx1-ubyte.gz"))


def balanced_choice(split: Split, *, count: int, seed: int) -> Split:
    """Draw `count` pictures at random, every class equally often (give or take one), in random order."""
    generator = np.random.default_rng(seed)
    shuffled = generator.permutation(len(split.labels))
    rank_in_class = np.empty(len(shuffled), np.int64)
    for label in np.unique(split.labels):
        members = split.labels[shuffled] == label
        rank_in_class[members] = np.arange(members.sum())
    chosen = generator.permutation(shuffled[np.argsort(rank_in_class, kind="stable")[:count]])
    return Split(images=split.images[chosen], labels=split.labels[chosen])
