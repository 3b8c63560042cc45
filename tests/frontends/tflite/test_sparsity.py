from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxpress_frontends.tflite.sparsity import Level, Sparsity, positions


def encode(dense: Any, order: list[int], blocks: dict[int, int], compressed: list[bool]) -> tuple[Sparsity, Any]:
    """The textbook encoder: a tree of coordinates, level by level."""
    rank = dense.ndim
    blocked = list(blocks)
    sizes = [dense.shape[axis] // blocks.get(axis, 1) for axis in range(rank)] + [blocks[axis] for axis in blocked]
    split = dense.reshape([part for axis in range(rank) for part in (sizes[axis], blocks.get(axis, 1))])
    outer, inner = [2 * axis for axis in range(rank)], [2 * axis + 1 for axis in blocked]
    lone = tuple(2 * axis + 1 for axis in range(rank) if axis not in blocks)
    full = np.squeeze(split, axis=lone) if lone else split
    where = {axis: index for index, axis in enumerate(sorted(set(range(2 * rank)) - set(lone)))}
    full = np.transpose(full, [where[axis] for axis in (*outer, *inner)])
    full = np.transpose(full, order)
    parents, levels = [()], []
    for place, axis in enumerate(order):
        children, segments, indices = [], [0], []
        for parent in parents:
            for index in range(sizes[axis]):
                if not compressed[place] or np.any(full[(*parent, index)]):
                    children.append((*parent, index))
                    indices.append(index)
            segments.append(len(indices))
        stored = {"segments": np.array(segments), "indices": np.array(indices, int)} if compressed[place] else {}
        levels.append(Level(size=0 if compressed[place] else sizes[axis], **stored))
        parents = children
    order_of_blocks = Sparsity(order=order, blocked=blocked, levels=levels)
    return order_of_blocks, np.array([full[parent] for parent in parents], dense.dtype)


@given(st.data())
def test_what_is_encoded_comes_back(data: Any) -> None:
    rank = data.draw(st.integers(1, 3))
    blocks = {axis: data.draw(st.integers(2, 3)) for axis in range(rank) if data.draw(st.booleans())}
    shape = [data.draw(st.integers(1, 3)) * blocks.get(axis, 1) for axis in range(rank)]
    values = data.draw(
        st.lists(st.sampled_from([0, 0, 1, 2]), min_size=int(np.prod(shape)), max_size=int(np.prod(shape)))
    )
    dense = np.array(values, np.float32).reshape(shape)
    order = [*data.draw(st.permutations(range(rank))), *range(rank, rank + len(blocks))]
    compressed = [axis < rank and data.draw(st.booleans()) for axis in order]
    sparsity, stored = encode(dense, order, blocks, compressed)
    back = np.zeros(dense.size, np.float32)
    back[positions(sparsity, dense.shape)] = stored
    np.testing.assert_array_equal(back.reshape(shape), dense)


def rows(segments: list[int], indices: list[int]) -> Sparsity:
    return Sparsity(
        order=[0, 1],
        blocked=[],
        levels=[Level(size=2), Level(size=0, segments=np.array(segments), indices=np.array(indices))],
    )


@pytest.mark.parametrize(
    ("sparsity", "message"),
    [
        (rows([0, 1], [0]), "its segments do not fit the level above"),
        (rows([0, 3, 2], [0, 1]), "its segments run backwards"),
        (rows([0, 1, 2], [0, 3]), "it has values outside its shape"),
        (rows([0, 1, 2], [0, -1]), "it has values outside its shape"),
        (Sparsity(order=[0, 0], blocked=[], levels=[Level(size=2), Level(size=3)]), "its order of traversal is none"),
        (Sparsity(order=[0, 1], blocked=[], levels=[Level(size=2)]), "its order of traversal is none"),
        (Sparsity(order=[0, 1], blocked=[], levels=[Level(size=2**30)] * 2), "it has more values than its shape has"),
        (
            Sparsity(order=[0, 1, 2], blocked=[1], levels=[Level(size=1), Level(size=1), rows([0, 1], [0]).levels[1]]),
            "its blocks are not dense",
        ),
        (Sparsity(order=[0, 1, 2], blocked=[5], levels=[Level(size=1)] * 3), "its blocks have axes that it has not"),
    ],
)
def test_what_is_unsound_is_refused(sparsity: Sparsity, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        positions(sparsity, (2, 3))
