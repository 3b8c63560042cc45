"""Which layers are factored together, by the memory that there is, and whether it is enough at all.

A factorisation holds its Gram matrix and its factors (`matrix_factors.bytes_needed`), and the roots of a covariance
where there are data.  The factors of all layers are held until every rank is chosen: of a layer that is parted in two
ways they are nearly twice as large as its weight.  Half of what is left goes to covariances: as many layers as fit are
gathered in one pass over the data, one always.  None of this changes the result, which must not depend on the memory at
hand; whether that is enough is told before anything is factored.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from onnxpress.decomposition.leading_subspace import leading_bytes
from onnxpress.decomposition.matrix_factors import bytes_needed
from onnxpress.decomposition.unfoldings import CHUNK
from onnxpress.errors import InvalidOption
from onnxpress_plugins.decomposition.available_memory import available
from onnxpress_plugins.decomposition.moments.parted_moments import bytes_needed as gathering_bytes
from onnxpress_plugins.decomposition.moments.patch_moments import bytes_needed as covariance_bytes
from onnxpress_plugins.decomposition.prospects import Prospect
from onnxpress_plugins.decomposition.ways import Way

_ROOTS = 3
"""Matrices of the size of a covariance that are held while a whitened kernel is factored."""

_TURNED, _WEIGHED = 3, 3
"""Copies of a kernel that is parted in three, in float32, and of a piece of it, in float64."""


def batches(prospects: Sequence[Prospect], *, whitened: bool) -> list[list[Prospect]]:
    """The layers, in their order, in groups whose covariances fit into memory together.

    Args:
        prospects: The layers that will be factored.
        whitened: Whether there are data; without, they are one group.

    Raises:
        InvalidOption: There is too little memory for a layer beside the factors of all layers.
    """
    left = _left(prospects, whitened) // 2
    groups: list[list[Prospect]] = []
    taken = 0
    for own in prospects:
        size = _covariances(own) if whitened else 0
        if not groups or taken + size > left:
            groups.append([])
            taken = 0
        groups[-1].append(own)
        taken += size
    return groups


def _left(prospects: Sequence[Prospect], whitened: bool) -> int:
    """Bytes that are there beside the factors of all layers and what factoring the largest takes."""
    free = available()
    held = sum(_held(own, way) for own in prospects for way in own.stacks)
    needed = {
        own.layer.name: max(_working(own, way, whitened) for way in own.stacks) for own in prospects if own.stacks
    }
    name = max(needed, key=needed.__getitem__, default="")
    left = free - held - needed.get(name, 0)
    if left < 0:
        raise InvalidOption(
            f"pass 'decompose': factoring {name!r} takes {_spelt(needed[name])}, the factors of all layers take "
            f"{_spelt(held)}, and {_spelt(free)} of memory are available; leave large layers out with exclude_nodes"
        )
    return left


def _held(prospect: Prospect, way: Way) -> int:
    """The factors of a kernel that is parted in two; of one that is parted in three, its covariance."""
    rows, columns = _sides(prospect, way)
    return 8 * columns**2 if way.form == "tucker2" else 4 * (rows + columns) * _rank(prospect, way)


def _working(prospect: Prospect, way: Way, whitened: bool) -> int:
    rows, columns = _sides(prospect, way)
    covariance = _ROOTS * covariance_bytes(columns) + _covariances(prospect) if whitened else 0
    if way.form == "tucker2":
        size, side = prod(prospect.layer.weight_shape), max(prospect.layer.weight_shape[:2])
        return covariance + _TURNED * 4 * size + max(_WEIGHED * 8 * min(CHUNK, size), leading_bytes(side, side, 8))
    return covariance + bytes_needed(rows, columns, _rank(prospect, way), whitened=whitened)


def _covariances(prospect: Prospect) -> int:
    return sum(gathering_bytes(_sides(prospect, way)[1]) for way in prospect.stacks)


def _sides(prospect: Prospect, way: Way) -> tuple[int, int]:
    outputs, inputs, *kernel = prospect.layer.weight_shape
    first = prod(kernel[axis] for axis in way.first_axes)
    return outputs * prod(kernel) // first, inputs * first


def _rank(prospect: Prospect, way: Way) -> int:
    return max(stack.ranks[0] for stack in prospect.stacks[way])


def _spelt(size: int) -> str:
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / 2**20:.1f} MiB"
