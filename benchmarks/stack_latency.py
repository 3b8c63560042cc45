"""Latency of stacks over the layer they take the place of, one thread, and how well the model of it foretells that.

3x3 convolutions with as many inputs as outputs, batch 1, in float and between the nodes that quantise them: measured in
onnxruntime (`timing.Measured`, the least of several runs) at about .25, .5 and .7 of the multiplications, ranks in
steps of 16, beside what the model says (`latency.Modelled`).  The error of the model is that of these ratios.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from results import Goal, quick, write

if TYPE_CHECKING:
    from onnxpress.decomposition.layer_stacks import Form, Layer, Stack
    from onnxpress_plugins.decomposition.speed.latency import Precision
    from onnxpress_plugins.decomposition.speed.workload import Workload

SHAPES = ((32, 28), (64, 56), (64, 28), (64, 7), (128, 28), (128, 7), (256, 28), (256, 7), (512, 28), (512, 7))
"""Channels, and rows and columns of the map."""

SHARES = (0.25, 0.5, 0.7)
FORMS: dict[Form, tuple[int, ...]] = {"spatial": (0,), "tucker2": (), "channel": (0, 1)}
"""With the axes of their first part."""

STEP = 16
WIDE = 64
"""Channels from which on decomposition pays in float, and from which on the model is held to its error."""

BOUNDS = {"float32": 0.06, "int8": 0.1}


def layer(channels: int) -> Layer:
    """A 3x3 convolution."""
    from onnxpress.decomposition.layer_stacks import Layer

    return Layer(
        name="conv",
        operator="Conv",
        weight="weight",
        weight_shape=(channels, channels, 3, 3),
        strides=(1, 1),
        pads=(1, 1, 1, 1),
        dilations=(1, 1),
    )


def stacks(form: Form, dense: Layer, work: Workload) -> list[Stack]:
    """For each of `SHARES`, the stack with the nearest number of multiplications; the ranks of Tucker-2 are equal."""
    from onnxpress_plugins.decomposition.ways import Way

    way = Way(form, FORMS[form])
    full = way.full_ranks(dense)
    every = [way.stack(dense, (rank,) * len(full)) for rank in range(STEP, min(full) + 1, STEP)]
    return [min(every, key=lambda stack: abs(work.of(stack) / work.dense(dense) - share)) for share in SHARES]


def measure(precision: Precision) -> list[dict[str, Any]]:
    """A row for every shape and form."""
    from onnxpress_plugins.decomposition.speed.latency import MODELS, Clock, job_of, jobs_of
    from onnxpress_plugins.decomposition.speed.timing import Measured
    from onnxpress_plugins.decomposition.speed.workload import Workload

    measured = Measured(precision=precision)
    clocks: dict[str, Clock] = {"measured": measured, "modelled": MODELS[precision]}
    rows = []
    for channels, size in SHAPES[:2] if quick() else SHAPES:
        dense, work = layer(channels), Workload(repeats=1, sizes_in=(size, size), sizes_out=(size, size))
        for form in FORMS:
            found = stacks(form, dense, work)
            row: dict[str, Any] = {"precision": precision, "channels": channels, "map": size, "form": form}
            row["dense ms"] = 1000 * measured.seconds([job_of(dense, work)])
            for name, clock in clocks.items():
                whole = clock.seconds([job_of(dense, work)])
                for share, stack in zip(SHARES, found, strict=True):
                    row[f"{name} {share}"] = clock.seconds(jobs_of(stack, work)) / whole
            rows.append(row)
    return rows


def error(rows: Sequence[dict[str, Any]], precision: str) -> float:
    """How far ratios of the model are off, on average, where channels are many."""
    wide = [row for row in rows if row["precision"] == precision and row["channels"] >= WIDE]
    return float(
        np.mean([abs(row[f"modelled {share}"] - row[f"measured {share}"]) for row in wide for share in SHARES])
    )


def goals(rows: Sequence[dict[str, Any]]) -> list[Goal]:
    """How true the model must be, and what decomposition must gain."""
    half = [row["measured 0.5"] for row in rows if row["precision"] == "float32" and row["form"] == "spatial"]
    wide = half[[channels for channels, _ in SHAPES].index(128) :] or half
    held = [Goal(f"mean error of modelled ratios, {name}", bound, error(rows, name)) for name, bound in BOUNDS.items()]
    return [*held, Goal("time at half the multiplications, spatial, from 128 channels on, float", 0.6, max(wide))]


def main() -> None:
    """Measure both precisions."""
    from onnxpress_plugins.decomposition.speed.latency import Precision

    rows = [row for precision in get_args(Precision) for row in measure(precision)]
    write("stack_latency", about=(__doc__ or "").strip(), rows=rows, goals=goals(rows))


if __name__ == "__main__":
    main()
