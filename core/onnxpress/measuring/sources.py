"""Measuring models wherever they come from: compared on data, timed against each other, looked into."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from onnxpress import data as datasets
from onnxpress.data import Samples
from onnxpress.data.feeding import fixed_rows
from onnxpress.data.labels import load_labels
from onnxpress.errors import InvalidData
from onnxpress.kinds import Frontend, Progress, Silent
from onnxpress.measuring.benchmarking import benchmark
from onnxpress.measuring.comparing import compare
from onnxpress.measuring.inspecting import inspect
from onnxpress.measuring.matching import for_both
from onnxpress.model_sources import find_frontend, find_frontends, load, open_runner
from onnxpress.options import share
from onnxpress.records import Benchmark, Comparison, Inspection
from onnxpress.registry import Registry
from onnxpress.runtime import ports

EVALUATION_BATCH = 16
"""Samples per run when models are compared, where the batch dimension is dynamic."""


def compare_sources(
    a: Any,
    b: Any,
    *,
    data: Any = None,
    labels: Any = None,
    preprocessing: Any = None,
    random_data: bool = False,
    threads: int | None = None,
    frontend: str | None = None,
    registry: Registry | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Comparison:
    """Compare two models, each run by its own framework, or by onnxruntime with graph optimisation off.

    Args:
        a: The reference: anything `convert` takes.
        b: The other model.
        data: Samples, in any form `onnxpress.data.load` takes.
        labels: Class of each sample, for accuracy.
        preprocessing: How image files become arrays.
        random_data: Compare on noise when there are no data.
        threads: Intra-op threads of onnxruntime.
        frontend: Name of the frontend for the models that it accepts; None lets the frontends say which do.
        registry: The plugins; None loads the installed ones.
        progress: Shows how far the work is.
        **options: Options of the frontends; each takes those it has.

    Raises:
        OnnxpressError: Anything a user can act on; the message is one sentence.
    """
    registry, progress = registry or Registry(), progress or Silent()
    readers = find_frontends((a, b), registry, frontend)
    shared = share(options, *map(reading, readers))
    first, second = (
        open_runner(source, reader, own, progress, threads=threads)
        for source, reader, own in zip((a, b), readers, shared, strict=True)
    )
    samples = open_samples(data, for_both(first.inputs, second.inputs), preprocessing, random_data)
    if samples is None:
        raise InvalidData("comparing needs samples; give --data PATH, or --random-data to compare on noise")
    classes = labels_of(labels)
    check_labels(classes, samples)
    return compare(first, second, samples.batches(EVALUATION_BATCH), labels=classes, progress=progress)


def bench_sources(
    a: Any,
    b: Any = None,
    *,
    threads: int = 1,
    runs: int | None = None,
    data: Any = None,
    preprocessing: Any = None,
    frontend: str | None = None,
    registry: Registry | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Benchmark:
    """Time one model, or two against each other, in onnxruntime.

    Args:
        a: The first model: anything `convert` takes.
        b: The second.
        threads: Intra-op threads.
        runs: Timed runs of each model; None takes as many as fit a few seconds.
        data: Samples, the first of which is run; None runs on noise.
        preprocessing: How image files become arrays.
        frontend: Name of the frontend for the models that it accepts; None lets the frontends say which do.
        registry: The plugins; None loads the installed ones.
        progress: Shows how far the work is.
        **options: Options of the frontends; each takes those it has.

    Raises:
        OnnxpressError: Anything a user can act on; the message is one sentence.
    """
    registry, progress = registry or Registry(), progress or Silent()
    sources = [source for source in (a, b) if source is not None]
    readers = find_frontends(sources, registry, frontend)
    shared = share(options, *map(reading, readers))
    models = [load(source, reader, own, progress) for source, reader, own in zip(sources, readers, shared, strict=True)]
    inputs = ports(models[0].graph.inputs)
    feeds = first_feeds(open_samples(data, inputs, preprocessing, data is None), inputs)
    return benchmark(*models, feeds=feeds, threads=threads, runs=runs, progress=progress)


def inspect_source(
    source: Any,
    *,
    frontend: str | None = None,
    registry: Registry | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Inspection:
    """Tell what is in a model.

    Args:
        source: Anything `convert` takes.
        frontend: Name of the frontend; None lets the frontends say which accepts the source.
        registry: The plugins; None loads the installed ones.
        progress: Shows how far the work is.
        **options: Options of the frontend.

    Raises:
        OnnxpressError: Anything a user can act on; the message is one sentence.
    """
    reader = find_frontend(source, registry or Registry(), frontend)
    (own,) = share(options, reading(reader))
    return inspect(load(source, reader, own, progress or Silent()))


def reading(reader: Frontend) -> tuple[str, Callable[..., Any]]:
    """What a frontend's options are for, as `share` takes it."""
    return f"frontend {reader.name!r}", reader.load


def open_samples(data: Any, inputs: Any, preprocessing: Any, random_data: bool) -> Samples | None:
    """Samples for a model, noise if allowed and there are none, else None."""
    if data is not None:
        return datasets.load(data, inputs, preprocessing=preprocessing)
    return datasets.random_data(inputs) if random_data else None


def labels_of(labels: Any) -> Any:
    """Labels from a file, or as they are."""
    return load_labels(Path(labels)) if isinstance(labels, (str, Path)) else labels


def check_labels(labels: Any, tests: Samples | None) -> None:
    """Refuse labels that no comparison on `tests` could use, before anything slow is done.

    Raises:
        InvalidData: There are no samples, or not as many as labels, whatever is left over of the last batch.
    """
    if labels is None:
        return
    if tests is None:
        raise InvalidData("labels are for samples, and there are none; give --eval-data PATH, or --data PATH")
    count, fixed = tests.source.count, next(filter(None, map(fixed_rows, tests.inputs)), None)
    if count is not None and abs(len(labels) - count) >= (fixed or EVALUATION_BATCH):
        raise InvalidData(f"there are {len(labels)} labels for {count - count % (fixed or 1)} samples")


def first_feeds(tests: Samples | None, inputs: Any) -> Mapping[str, Any]:
    """One batch to time a model with; noise when there are no samples."""
    return next(iter(tests if tests is not None else datasets.random_data(inputs)))
