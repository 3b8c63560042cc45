"""How a tensor lies in memory against what ONNX says of it.

ONNX images are NCHW, TensorFlow's on a CPU are NHWC.  Every tensor therefore carries a tag: its axes stand in the order
``perm`` of the ONNX axes (``transpose(value, perm)`` is what TensorFlow holds).  An ONNX Transpose changes the tag and
nothing else; only an operator that needs another order puts a Transpose into the graph.  ``split`` is for a flattened
image: the elements of one axis are those of finer axes (C, H, W), in another order (H, W, C).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise

Shape = tuple[int | None, ...]


@dataclass(frozen=True)
class Split:
    """The elements of `axis` lie in the order of its finer axes transposed: sizes (C, H, W), order (1, 2, 0)."""

    axis: int
    sizes: tuple[int, ...]
    order: tuple[int, ...]


@dataclass(frozen=True)
class Layout:
    """Order of the axes in memory; `perm` is the identity where there is a `split`."""

    perm: tuple[int, ...]
    split: Split | None = None

    @property
    def is_logical(self) -> bool:
        """Whether the tensor lies as ONNX says."""
        return self.split is None and self.perm == tuple(range(len(self.perm)))

    @property
    def rank(self) -> int:
        """Number of axes."""
        return len(self.perm)

    def axis(self, onnx_axis: int) -> int:
        """Where an axis of ONNX (negative ones count from the end) is in memory."""
        return self.perm.index(onnx_axis % len(self.perm))

    def arrange(self, items: Sequence[int | None]) -> Shape:
        """Things listed by ONNX axis, in the order of memory: a shape, pads, strides."""
        return tuple(items[axis] for axis in self.perm)


def logical(rank: int) -> Layout:
    """The axes as ONNX has them."""
    return Layout(tuple(range(rank)))


def channels_last(rank: int) -> Layout:
    """N, C, then space becomes N, space, C; of rank 3 to 5."""
    return Layout((0, *range(2, rank), 1))


def last(layout: Layout, axis: int) -> Layout:
    """`layout` with one ONNX axis moved to the end."""
    axis %= layout.rank
    return Layout((*(other for other in layout.perm if other != axis), axis))


def without(layout: Layout, gone: Collection[int]) -> Layout:
    """`layout` when axes of ONNX have gone, the others keeping their order."""
    left = [axis for axis in range(layout.rank) if axis not in gone]
    return Layout(tuple(left.index(axis) for axis in layout.perm if axis in left))


def place(layout: Layout | None, axis: int) -> int:
    """Where an axis of ONNX is in memory; in a tensor of unknown rank, where ONNX has it."""
    return axis if layout is None else layout.axis(axis)


def transposed(layout: Layout, perm: Sequence[int]) -> Layout:
    """The layout of ``Transpose(perm)`` of a value when the tensor stays where it is."""
    return Layout(tuple(perm.index(axis) for axis in layout.perm))


def move(start: Layout, end: Layout) -> tuple[int, ...]:
    """The permutation that TensorFlow's Transpose needs to go from one layout to another."""
    return tuple(start.perm.index(axis) for axis in end.perm)


def moves_nothing(perm: Sequence[int], shape: Sequence[int | None]) -> bool:
    """Whether a transposition of a tensor of this shape leaves every element in its place in memory."""
    kept = [axis for axis in perm if shape[axis] != 1]
    return all(before < after for before, after in pairwise(kept))


def common_shape(shapes: Sequence[Shape | None]) -> Shape | None:
    """What is known of a shape that is one of several."""
    first, *rest = shapes
    if first is None or any(shape is None or len(shape) != len(first) for shape in rest):
        return None
    return tuple(
        size if all(shape is not None and shape[axis] == size for shape in rest) else None
        for axis, size in enumerate(first)
    )
