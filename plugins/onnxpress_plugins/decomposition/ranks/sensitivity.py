"""How much the output of a network moves when one layer of it changes, over a few samples.

Errors of layers do not count alike: what the last layers lose nobody can restore, what is lost before a pooling partly
averages out.  So each layer is changed alone, and what that does to the outputs is set against the error it made in the
layer; the budget weighs errors with that ratio (`error_weights`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from onnxpress.data.feeding import batches
from onnxpress.data.fitting import Chunk
from onnxpress.errors import InvalidData
from onnxpress.naming import Names
from onnxpress.runtime import Session
from onnxpress_plugins.decomposition.candidates import Candidate, Option
from onnxpress_plugins.decomposition.replacing import replace_layer

if TYPE_CHECKING:
    import onnx_ir as ir

    from onnxpress.kinds import Array, Context, Feeds


_NO_FLOATS = (
    "no output of the model is a float, so that layers get equal shares of the budget; "
    "a model that ends before its ArgMax tells what their errors do"
)


def sensitivities(
    model: ir.Model, trials: Sequence[tuple[Candidate, Option]], context: Context, *, samples: int
) -> dict[ir.Node, float]:
    """What an error of each layer does to the outputs of the network: squared error there over squared error here.

    Args:
        model: The model; it is not changed.
        trials: Layers, each with the option that is tried, which must err.
        context: Where samples, progress and the number of threads come from.
        samples: How many samples to run.

    Returns:
        By node; empty, and a warning, where no output is a float.

    Raises:
        InvalidData: There are no samples, or no float output varies over them.
        InvalidModel: onnxruntime rejects the model.
    """
    if not any(value.dtype is not None and value.dtype.is_floating_point() for value in model.graph.outputs):
        context.notes.warn(_NO_FLOATS)
        return {}
    variants = (_variant(model, candidate, option) for candidate, option in trials)
    shifts = output_shifts(model, variants, context, count=len(trials), samples=samples)
    return {one.node: shift / option.error for (one, option), shift in zip(trials, shifts, strict=True)}


def _variant(model: ir.Model, candidate: Candidate, option: Option) -> ir.Model:
    """The model with one layer replaced."""
    copy = model.clone()
    nodes = zip(model.graph.all_nodes(), copy.graph.all_nodes(), strict=True)
    replace_layer(next(twin for node, twin in nodes if node is candidate.node), candidate, option, Names(copy))
    return copy


def output_shifts(
    model: ir.Model, variants: Iterable[ir.Model], context: Context, *, count: int, samples: int
) -> list[float]:
    """How far the outputs of each variant are from those of the model: squared error over variance, mean over outputs.

    Only float outputs count, and of them those that vary: an index says nothing of how far away it is.

    Args:
        model: The reference.
        variants: Models with the same inputs and outputs; one is held at a time.
        context: Where samples, progress and the number of threads come from.
        count: How many variants there are, for the progress.
        samples: How many samples to run.

    Raises:
        InvalidData: There are no samples, or no float output varies over them.
        InvalidModel: onnxruntime rejects a model.
    """
    session = Session(model, optimize=True, threads=context.threads)
    feeds = list(islice(_singles(context, session), samples))
    expected = [session.run(feed) for feed in feeds]
    scales = _variances(expected)
    if not scales:
        raise InvalidData(
            "no float output of the model varies over the samples, so that nothing can be said of errors; "
            "with decompose.samples=0 layers get equal shares"
        )
    shifts = []
    with context.progress.task("sensitivity", count) as advance:
        for variant in variants:
            other = Session(variant, optimize=True, threads=context.threads)
            results = (other.run(feed) for feed in feeds)
            shifts.append(_shift(expected, results, scales))
            advance()
    return shifts


def _singles(context: Context, session: Session) -> Iterator[Feeds]:
    if context.data is None:
        raise InvalidData("sensitivity cannot be measured without data; give samples with --data PATH")
    return batches((Chunk(feeds, "calibration data") for feeds in context.data), session.inputs, 1)


def _variances(outputs: list[dict[str, Array]]) -> dict[str, float]:
    """The variance of every float output that has one."""
    if not outputs:
        raise InvalidData("sensitivity cannot be measured: the data hold no sample")
    floats = [name for name, array in outputs[0].items() if array.dtype.kind == "f"]
    together = {name: np.concatenate([each[name].reshape(-1) for each in outputs]) for name in floats}
    found = {name: float(numbers.var(dtype=np.float64)) for name, numbers in together.items() if numbers.size}
    return {name: variance for name, variance in found.items() if np.isfinite(variance) and variance > 0}


def _shift(expected: list[dict[str, Array]], results: Iterable[dict[str, Array]], scales: dict[str, float]) -> float:
    squares, sizes = dict.fromkeys(scales, 0.0), dict.fromkeys(scales, 0)
    for before, after in zip(expected, results, strict=True):
        for name in scales:
            if before[name].shape != after[name].shape:
                continue  # as many detections as there happen to be
            squares[name] += float(np.square(after[name] - before[name], dtype=np.float64).sum())
            sizes[name] += before[name].size
    return float(np.mean([squares[name] / max(sizes[name], 1) / scale for name, scale in scales.items()]))
