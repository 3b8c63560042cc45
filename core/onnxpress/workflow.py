"""The two things people come for: `convert` a model to ONNX, and `compress` one with a recipe."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onnxpress import data as datasets
from onnxpress import model_files
from onnxpress.benchmarking import benchmark
from onnxpress.comparing import compare
from onnxpress.errors import InvalidData, InvalidOption
from onnxpress.inspecting import inspect
from onnxpress.kinds import Backend, Context, Dataset, Frontend, Progress, Silent
from onnxpress.labels import load_labels
from onnxpress.options import share
from onnxpress.recipe import Recipe, StepLike, find
from onnxpress.records import Benchmark, Comparison, Inspection, Run
from onnxpress.registry import Registry
from onnxpress.run import transform
from onnxpress.runtime import Session, ports
from onnxpress.model_sources import find_frontend, load, open_runner

if TYPE_CHECKING:
    import onnx_ir as ir

RecipeLike = str | Path | Recipe | Iterable[StepLike]


@dataclass(frozen=True, kw_only=True)
class Result:
    """What came out.

    Attributes:
        model: The new model.
        run: What every step did, and the figures that were measured.
    """

    model: ir.Model
    run: Run


def convert(
    source: Any,
    *,
    out: str | Path | None = None,
    recipe: RecipeLike = "convert",
    frontend: str | None = None,
    backend: str | None = None,
    registry: Registry | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Result:
    """Bring a model to ONNX and tidy it; the numbers stay the same.

    Args:
        source: A path (ONNX file, SavedModel folder, Keras or GraphDef file), an `onnx.ModelProto`, an
            `onnx_ir.Model`, a `keras.Model`, a `tf.Module` or a concrete function.  It is never changed.
        out: Where to write; None writes nothing.
        recipe: The passes that tidy.
        frontend: Name of the frontend; None lets the frontends say which accepts the source.
        backend: Name of the backend; None goes by the suffix of `out`.
        registry: The plugins; None loads the installed ones.
        progress: Shows how far the work is.
        **options: Options of the frontend (``inputs``, ``signature`` ...) and of the backend.

    Raises:
        OnnxpressError: Anything a user can act on; the message is one sentence.
    """
    return compress(
        source,
        recipe=recipe,
        out=out,
        frontend=frontend,
        backend=backend,
        registry=registry,
        progress=progress,
        **options,
    )


def compress(
    source: Any,
    *,
    recipe: RecipeLike = "int8",
    data: Any = None,
    out: str | Path | None = None,
    evaluation: Any = None,
    labels: Any = None,
    preprocessing: Any = None,
    random_data: bool = False,
    target: str | None = None,
    step_options: Mapping[str, Any] | None = None,
    bench: bool = False,
    threads: int | None = None,
    frontend: str | None = None,
    backend: str | None = None,
    reproducer: str | Path | None = None,
    registry: Registry | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Result:
    """Take a model through a recipe, measure what that did, and write the result.

    Args:
        source: As for `convert`.
        recipe: Name of a built-in recipe, path of a TOML file, or a list of steps.
        data: Calibration samples, in any form `onnxpress.data.load` takes.
        out: Where to write; None writes nothing.
        evaluation: Samples to compare the models on; None takes `data`.
        labels: Class of each evaluation sample, for accuracy.
        preprocessing: How image files become arrays.
        random_data: Calibrate on noise, for a smoke run; the ranges are then meaningless.
        target: Name of the target; None leaves the recipe's.
        step_options: Values for options of the recipe's passes, by ``"pass.option"``.
        bench: Also time both models.
        threads: Intra-op threads of onnxruntime; None leaves them to it, and times with one.
        frontend: Name of the frontend; None lets the frontends say which accepts the source.
        backend: Name of the backend; None goes by the suffix of `out`.
        reproducer: Folder for what reruns a step that fails; None puts it beside `out`, if that is given.
        registry: The plugins; None loads the installed ones.
        progress: Shows how far the work is.
        **options: Options of the frontend and of the backend.

    Raises:
        OnnxpressError: Anything a user can act on; the message is one sentence.
    """
    registry, progress = registry or Registry(), progress or Silent()
    path = None if out is None else Path(out)
    reader = find_frontend(source, registry, frontend)
    writer = None if path is None else find_backend(path, registry, backend)
    owners = [_reading(reader)] + ([(f"backend {writer.name!r}", writer.emit)] if writer is not None else [])
    load_options, *emit_options = share(options, *owners)
    chosen = find(recipe).override(step_options or {})
    if target is not None:
        chosen = chosen.with_target(target)
    before = load(source, reader, load_options, progress)
    inputs = ports(before.graph.inputs)
    samples = _samples(data, inputs, preprocessing, random_data)
    tests = datasets.load(evaluation, inputs, preprocessing=preprocessing) if evaluation is not None else samples
    context = Context(catalog=registry, data=samples, progress=progress, threads=threads)
    folder = _reproducer_folder(reproducer, path)
    after, run = transform(before, chosen, registry, context, reproducer_folder=folder)
    run.source = str(source) if isinstance(source, (str, Path)) else type(source).__name__
    run.random_data = samples is not None and samples.is_random
    run.size_before = model_files.file_size(before)
    run.size_after = model_files.file_size(after)
    if tests is not None:
        reference, optimized = Session(before, threads=threads), Session(after, optimize=True, threads=threads)
        run.comparison = compare(reference, optimized, tests, labels=_labels(labels), progress=progress)
    if bench:
        run.benchmark = benchmark(before, after, feeds=_feeds(tests, inputs), threads=threads or 1, progress=progress)
    if path is not None and writer is not None:
        files = writer.emit(after, path, **emit_options[0])
        run.files = [str(file) for file in files]
        run.size_after = sum(file.stat().st_size for file in files)
    return Result(model=after, run=run)


def compare_sources(
    a: Any,
    b: Any,
    *,
    data: Any = None,
    labels: Any = None,
    preprocessing: Any = None,
    random_data: bool = False,
    threads: int | None = None,
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
        registry: The plugins; None loads the installed ones.
        progress: Shows how far the work is.
        **options: Options of the frontends; each takes those it has.

    Raises:
        OnnxpressError: Anything a user can act on; the message is one sentence.
    """
    registry, progress = registry or Registry(), progress or Silent()
    readers = [find_frontend(source, registry) for source in (a, b)]
    shared = share(options, *map(_reading, readers))
    first, second = (
        open_runner(source, reader, own, progress, threads=threads)
        for source, reader, own in zip((a, b), readers, shared, strict=True)
    )
    samples = _samples(data, first.inputs, preprocessing, random_data)
    if samples is None:
        raise InvalidData("comparing needs samples; give --data PATH, or --random-data to compare on noise")
    return compare(first, second, samples, labels=_labels(labels), progress=progress)


def bench_sources(
    a: Any,
    b: Any = None,
    *,
    threads: int = 1,
    runs: int | None = None,
    data: Any = None,
    preprocessing: Any = None,
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
        registry: The plugins; None loads the installed ones.
        progress: Shows how far the work is.
        **options: Options of the frontends; each takes those it has.

    Raises:
        OnnxpressError: Anything a user can act on; the message is one sentence.
    """
    registry, progress = registry or Registry(), progress or Silent()
    sources = [source for source in (a, b) if source is not None]
    readers = [find_frontend(source, registry) for source in sources]
    shared = share(options, *map(_reading, readers))
    models = [load(source, reader, own, progress) for source, reader, own in zip(sources, readers, shared, strict=True)]
    inputs = ports(models[0].graph.inputs)
    feeds = _feeds(_samples(data, inputs, preprocessing, data is None), inputs)
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
    (own,) = share(options, _reading(reader))
    return inspect(load(source, reader, own, progress or Silent()))


def find_backend(path: Path, registry: Registry, name: str | None = None) -> Backend:
    """The backend called `name`, or the one whose suffix `path` has.

    Raises:
        InvalidOption: No backend writes that suffix.
    """
    if name is not None:
        return registry.get(Backend, name)
    known = registry.all(Backend)
    for offer in known.values():
        if path.suffix in offer.suffixes:
            return offer
    suffixes = ", ".join(f"{suffix} ({offer.name})" for offer in known.values() for suffix in offer.suffixes)
    raise InvalidOption(f"no backend writes {path.name!r}; give the output one of the suffixes: {suffixes}")


def _reading(reader: Frontend) -> tuple[str, Callable[..., Any]]:
    return f"frontend {reader.name!r}", reader.load


def _samples(data: Any, inputs: Any, preprocessing: Any, random_data: bool) -> Dataset | None:
    if data is not None:
        return datasets.load(data, inputs, preprocessing=preprocessing)
    return datasets.random_data(inputs) if random_data else None


def _labels(labels: Any) -> Any:
    return load_labels(Path(labels)) if isinstance(labels, (str, Path)) else labels


def _feeds(tests: Dataset | None, inputs: Any) -> Mapping[str, Any]:
    return next(iter(tests if tests is not None else datasets.random_data(inputs)))


def _reproducer_folder(given: str | Path | None, out: Path | None) -> Path | None:
    if given is not None:
        return Path(given)
    return None if out is None else out.with_name(f"{out.name}.failed")
