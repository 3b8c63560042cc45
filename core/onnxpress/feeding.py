"""Chunks of samples cut into the batches a model takes.

A chunk holds any number of samples along axis 0.  An input whose first dimension is fixed takes exactly that many rows
per run, others as many as are asked for.  A cast must lose nothing but float precision: integers become floats or other
integers when every value survives, float64 becomes float32, a float never becomes an integer.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from onnxpress.kinds import Array, Feeds, Port

LABEL_KEYS = ("labels", "label", "y")
"""Names under which data may hold labels beside the inputs."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Chunk:
    """Samples by input name, and where they came from, for messages."""

    arrays: Mapping[str, Array]
    origin: str


def batches(chunks: Iterable[Chunk], inputs: Sequence[Port], size: int) -> Iterator[Feeds]:
    """Cut `chunks` into feeds of `size` samples, or of as many as a fixed batch dimension asks for.

    A batch is smaller when the samples end or change their shape.  A model with a fixed batch dimension cannot take
    a smaller batch: samples left over at the end are dropped with a warning.

    Raises:
        InvalidData: A chunk does not fit `inputs`, or there is not one full batch.
    """
    rows = {port.name: _rows(port, size) for port in inputs}
    fixed = {port.name: rows[port.name] for port in inputs if port.shape and isinstance(port.shape[0], int)}
    held: dict[str, Array] = {}
    emitted = False
    for chunk in chunks:
        arrived = fit(chunk, inputs, rows)
        if held and not fixed and any(held[name].shape[1:] != arrived[name].shape[1:] for name in held):
            yield cast(held, inputs, chunk.origin)
            held, emitted = {}, True
        arrays = {name: np.concatenate([held[name], array]) if held else array for name, array in arrived.items()}
        runs = min((len(array) // rows[name] for name, array in arrays.items() if rows[name]), default=1)
        for run in range(runs):
            yield cast({name: _slice(array, rows[name], run) for name, array in arrays.items()}, inputs, chunk.origin)
            emitted = True
        held = {name: array[runs * rows[name] :] for name, array in arrays.items() if rows[name]}
        held = held if any(map(len, held.values())) else {}
        scalars = {name: array for name, array in arrays.items() if not rows[name]}
        held.update(scalars if held else {})
    if held and not fixed:
        yield cast(held, inputs, "the data")
    elif held:
        _left_over(held, fixed, emitted)
