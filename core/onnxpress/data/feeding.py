"""Chunks of samples cut into the batches a model takes.

A chunk holds any number of samples along axis 0.  An input whose first dimension is fixed takes exactly that many rows
per run, other inputs as many as are asked for; a scalar input is the same in every run.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from onnxpress.data.fitting import cast, fit
from onnxpress.errors import InvalidData

if TYPE_CHECKING:
    from onnxpress.data.fitting import Chunk
    from onnxpress.kinds import Array, Feeds, Port

log = logging.getLogger(__name__)


def batches(chunks: Iterable[Chunk], inputs: Sequence[Port], size: int) -> Iterator[Feeds]:
    """Cut `chunks` into feeds of `size` samples, or of as many as a fixed batch dimension asks for.

    A batch is smaller when the samples end or change their shape.  A model with a fixed batch dimension cannot take
    a smaller batch: samples left over at the end are dropped with a warning.

    Raises:
        InvalidData: A chunk does not fit `inputs`, or there is not one full batch.
    """
    rows = {port.name: fixed_rows(port) or size for port in inputs if port.shape != ()}
    held: dict[str, Array] = {}
    origin, runs = "the data", 0
    for chunk in chunks:
        origin, arrays = chunk.origin, fit(chunk, inputs)
        _check_counts(arrays, rows, origin)
        if _shape_changes(held, arrays):
            yield from _last({**arrays, **held}, inputs, runs, origin)
            held = {}
        arrays.update({name: np.concatenate([array, arrays[name]]) for name, array in held.items()})
        full = min((len(arrays[name]) // rows[name] for name in rows), default=1)
        for run in range(full):
            yield cast({name: _cut(array, rows.get(name), run) for name, array in arrays.items()}, inputs, origin)
        held = {name: arrays[name][full * count :] for name, count in rows.items()}
        held = held if any(len(array) for array in held.values()) else {}
        runs += full
    if held:
        yield from _last({**arrays, **held}, inputs, runs, origin)


def fixed_rows(port: Port) -> int | None:
    """Rows of axis 0 that an input takes in every run; None where that dimension is dynamic."""
    return port.shape[0] if port.shape and isinstance(port.shape[0], int) else None


def _last(held: Mapping[str, Array], inputs: Sequence[Port], runs: int, origin: str) -> Iterator[Feeds]:
    fixed = next((port for port in inputs if port.name in held and fixed_rows(port)), None)
    if fixed is None:
        yield cast(held, inputs, origin)
        return
    left, wanted = len(held[fixed.name]), fixed_rows(fixed)
    if not runs:
        raise InvalidData(
            f"input {fixed.name!r} takes batches of exactly {wanted} samples, got {left} in all; give more"
        )
    log.warning("input %r takes batches of exactly %s samples: the last %s are not used", fixed.name, wanted, left)


def _cut(array: Array, rows: int | None, run: int) -> Array:
    return array if rows is None else array[run * rows : (run + 1) * rows]


def _shape_changes(held: Mapping[str, Array], arrays: Mapping[str, Array]) -> bool:
    return any(array.shape[1:] != arrays[name].shape[1:] for name, array in held.items())


def _check_counts(arrays: Mapping[str, Array], rows: Mapping[str, int], origin: str) -> None:
    names = list(rows)
    for name in names[1:]:
        if len(arrays[name]) * rows[names[0]] != len(arrays[names[0]]) * rows[name]:
            raise InvalidData(
                f"{origin}: input {names[0]!r} has {len(arrays[names[0]])} samples, but {name!r} {len(arrays[name])}"
            )
