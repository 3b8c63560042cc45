"""One forward pass per sample feeds every tracker, and nothing of the sample is kept.

The model runs one sample at a time (or the batch it is fixed to), so that how the data are cut into batches changes
nothing, not a bit.  It runs optimised: onnxruntime fuses what it can between the tensors that are looked at.
The extremes of each tensor are taken once, here: they prove the tensor finite, and every tracker gets them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from operator import length_hint
from typing import TYPE_CHECKING, Protocol

import numpy as np

from onnxpress.data.feeding import batches
from onnxpress.data.fitting import Chunk
from onnxpress.errors import InvalidData, InvalidOption
from onnxpress.runtime import Session
from onnxpress_plugins.signs import never_negative

if TYPE_CHECKING:
    import onnx_ir as ir
    from numpy.typing import NDArray

    from onnxpress.kinds import Array, Dataset, Feeds, Port, Progress


class Watcher(Protocol):
    """Watches one tensor, as a `RangeTracker` does, for whatever end."""

    def update(self, sample: NDArray[np.float32], low: float, high: float) -> None:
        """Take one sample of the tensor, any shape, not empty; `low` and `high` are as for a `RangeTracker`."""


def observe(
    model: ir.Model,
    trackers: Mapping[ir.Value, Watcher],
    data: Dataset,
    *,
    limit: int | None,
    threads: int | None,
    progress: Progress,
) -> int:
    """Show every tracker its tensor in every sample.

    Args:
        model: The model; it is not changed.
        trackers: What watches which float value of the main graph, by value.
        data: The samples.
        limit: Stop after so many; None takes all.
        threads: Intra-op threads for onnxruntime.
        progress: Told of every sample.

    Returns:
        How many samples there were; the batch of a model with a fixed batch dimension counts as one.

    Raises:
        InvalidData: A sample does not fit the model, or makes a tensor NaN or infinite.
        InvalidModel: onnxruntime rejects the model.
    """
    computed = [value.name or "" for value in trackers if not value.is_graph_input()]
    session = Session(model, optimize=True, threads=threads, outputs=computed or None)
    watched = [(value, tracker, not never_negative(value)) for value, tracker in trackers.items()]
    count = 0
    with progress.task("calibrating", _total(data, limit)) as advance:
        for feeds in islice(_singles(data, session.inputs), limit):
            _show({**feeds, **session.run(feeds)}, watched, count)
            count += 1
            advance()
    return count


def check_limit(owner: str, samples: int | None) -> None:
    """Refuse a limit that leaves no sample.

    Raises:
        InvalidOption: `samples` is below 1.
    """
    if samples is not None and samples < 1:
        raise InvalidOption(f"pass {owner!r}: samples must be at least 1, not {samples}")


def _show(tensors: Feeds, watched: Sequence[tuple[ir.Value, Watcher, bool]], sample: int) -> None:
    for value, tracker, signed in watched:
        tensor = tensors[value.name or ""].astype(np.float32, copy=False)
        if tensor.size:
            tracker.update(tensor, *_extremes(tensor, value, sample, signed=signed))


def _singles(data: Dataset, inputs: tuple[Port, ...]) -> Iterator[Feeds]:
    return batches((Chunk(feeds, "calibration data") for feeds in data), inputs, 1)


def _total(data: Dataset, limit: int | None) -> int | None:
    known = [count for count in (length_hint(data), limit) if count]
    return min(known, default=None)


def _extremes(tensor: Array, value: ir.Value, sample: int, *, signed: bool) -> tuple[float, float]:
    """Smallest and largest element; where none can be negative, 0 will do for the smallest: every range holds it."""
    low, high = float(tensor.min()) if signed else 0.0, float(tensor.max())
    if math.isfinite(low) and math.isfinite(high):
        return low, high
    what = "NaN" if math.isnan(low) or math.isnan(high) else "infinity"
    maker = value.producer()
    origin = "an input of the model" if maker is None else f"made by {maker.name} ({maker.op_type})"
    raise InvalidData(
        f"calibration sample {sample} (the first is 0) puts {what} into tensor {value.name!r}, {origin}; "
        "check the preprocessing of the data and the weights of the model"
    )
