"""Sparse tensors made dense.

TFLite stores a sparse tensor as TACO does (Kjolstad et al. 2017, "The Tensor Algebra Compiler"): its axes, and behind
them the axes inside blocks, in an order of traversal.  On every level an axis is either *dense*, with all its indices,
or *compressed* (CSR): ``segments[p]`` to ``segments[p + 1]`` are the places in ``indices`` of what is under position
``p`` of the level above.  The values come in the order of the last level.

    axis in full = axis over blocks * size of the block + axis inside the block
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Places = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Level:
    """An axis on its place in the traversal: dense of a `size`, or compressed by `segments` and `indices`."""

    size: int
    segments: Places | None = None
    indices: Places | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Sparsity:
    """How the values of a tensor lie.

    Attributes:
        order: The axes in the order of traversal; from the rank on they are those inside blocks.
        blocked: For every axis inside blocks the axis that it cuts.
        levels: One for each of `order`.
    """

    order: Sequence[int]
    blocked: Sequence[int]
    levels: Sequence[Level]


def positions(sparsity: Sparsity, shape: tuple[int, ...]) -> Places:
    """Where the values belong in the dense tensor, flat, in the order in which they are stored.

    Raises:
        ValueError: The levels do not describe a tensor of this `shape`.
    """
    rank = len(shape)
    axes = list(range(rank + len(sparsity.blocked)))
    if sorted(sparsity.order) != axes or len(sparsity.levels) != len(axes):
        raise ValueError("its order of traversal is none")
    if any(not 0 <= axis < rank for axis in sparsity.blocked):
        raise ValueError("its blocks have axes that it has not")
    if any(level.segments is not None for axis, level in _traversal(sparsity) if axis >= rank):
        raise ValueError("its blocks are not dense")
    sizes = [1] * len(sparsity.order)
    for axis, level in _traversal(sparsity):
        sizes[axis] = level.size
    found = _traversed(sparsity, int(np.prod(shape, dtype=np.int64)))
    full = found[:rank]
    for inner, axis in enumerate(sparsity.blocked):
        full[axis] = full[axis] * sizes[rank + inner] + found[rank + inner]
    if any(((index < 0) | (index >= size)).any() for index, size in zip(full, shape, strict=True)):
        raise ValueError("it has values outside its shape")
    return np.asarray(np.ravel_multi_index(tuple(full), shape), np.int64) if shape else np.zeros(1, np.int64)


def _traversal(sparsity: Sparsity) -> Iterator[tuple[int, Level]]:
    return zip(sparsity.order, sparsity.levels, strict=True)


def _traversed(sparsity: Sparsity, limit: int) -> list[Places]:
    """For every axis the index of each stored value."""
    found: list[Places] = [np.zeros(1, np.int64)] * len(sparsity.order)
    parents = np.zeros(1, np.int64)
    for axis, level in _traversal(sparsity):
        if level.segments is None or level.indices is None:
            if level.size < 0 or parents.size * level.size > limit:
                raise ValueError("it has more values than its shape has")
            counts = np.full(parents.size, level.size)
            index = np.tile(np.arange(level.size), parents.size)
            parents = np.arange(index.size)
        else:
            counts, parents = _compressed(level, parents.size)
            index = level.indices[parents]
        found = [np.repeat(places, counts) for places in found]
        found[axis] = index
    return found


def _compressed(level: Level, above: int) -> tuple[Places, Places]:
    assert level.segments is not None and level.indices is not None
    segments = level.segments
    if segments.size != above + 1 or segments[0] != 0 or segments[-1] != level.indices.size:
        raise ValueError("its segments do not fit the level above")
    counts = np.diff(segments)
    if (counts < 0).any():
        raise ValueError("its segments run backwards")
    return counts, np.arange(level.indices.size)
