"""Small networks whose kernels are of low rank but for some noise, so that stacks in their place are worth it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx_ir as ir

from calibrated import graph, numbers

Array = np.ndarray[Any, Any]

CHANNELS = 32


def kernel(outputs: int, inputs: int, *sizes: int, rank: int, noise: float = 0.02, seed: int = 0) -> Array:
    """A kernel that `rank` pairs of one along the first axis and one along the others make, and noise.

    Outputs of unit variance for inputs of unit variance.
    """
    first, others = sizes[:1], sizes[1:]
    a = numbers(rank, inputs, *first, seed=seed).reshape(rank, -1)
    b = numbers(outputs, *others, rank, seed=seed + 1).reshape(-1, rank)
    product = (b @ a).reshape(outputs, *others, inputs, *first)
    whole = np.moveaxis(np.moveaxis(product, -2 if first else -1, 1), -1, 2) if first else product
    whole = whole + noise * whole.std() * numbers(*whole.shape, seed=seed + 2)
    return np.asarray(whole / (whole.std() * np.sqrt(whole[0].size)), np.float32)


def network(*, noise: float = 0.02) -> ir.Model:
    """Three convolutions, the second with stride, and a matrix product, on images of 16 x 16."""
    return graph(
        "a = Conv<pads = [1, 1, 1, 1]>(x, w1, b1) r = Relu(a)"
        "b = Conv<pads = [1, 1, 1, 1], strides = [2, 2]>(r, w2, b2) s = Relu(b)"
        "c = Conv(s, w3) p = GlobalAveragePool(c) f = Flatten(p) y = Gemm<transB = 1>(f, w4, b4)",
        x=f"float[N,{CHANNELS},16,16] x",
        y="float[N,6] y",
        w1=kernel(48, CHANNELS, 3, 3, rank=12, noise=noise),
        b1=numbers(48, seed=5),
        w2=kernel(64, 48, 3, 3, rank=14, noise=noise, seed=3),
        b2=numbers(64, seed=6),
        w3=kernel(64, 64, 1, 1, rank=8, noise=noise, seed=6),
        w4=kernel(6, 64, rank=4, noise=noise, seed=9),
        b4=numbers(6, seed=7),
    )


class Images:
    """Samples in which few directions of the channels move, about a mean far from zero."""

    is_random = False

    def __init__(
        self, count: int = 6, *, directions: int = 6, name: str = "x", shape: tuple[int, ...] = (16, 16)
    ) -> None:
        self._mixing = numbers(CHANNELS, directions, seed=11)
        self._name, self._shape = name, shape
        self._seeds = range(count)

    def __iter__(self) -> Iterator[dict[str, Array]]:
        for seed in self._seeds:
            yield {self._name: self.sample(seed)}

    def sample(self, seed: int) -> Array:
        """One of them, ``(1, CHANNELS, *shape)``."""
        moves = numbers(1, self._mixing.shape[1], *self._shape, seed=100 + seed)
        quiet = 0.05 * numbers(1, CHANNELS, *self._shape, seed=200 + seed)
        return np.asarray(np.einsum("cd,nd...->nc...", self._mixing, moves) + quiet + 1, np.float32)
