"""The two things people come for: `convert` a model to ONNX, and `compress` one with a recipe."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onnxpress import __version__, model_files
from onnxpress.ascend.configuration.reading import read
from onnxpress.configuring import configured, fitted
from onnxpress.errors import InvalidOption
from onnxpress.files import check_place
from onnxpress.kinds import WARNINGS_KEY, Backend, Context, Frontend, Progress, Silent
from onnxpress.measuring.benchmarking import benchmark
from onnxpress.measuring.comparing import compare
from onnxpress.measuring.sources import EVALUATION_BATCH, check_labels, first_feeds, labels_of, open_samples, reading
from onnxpress.model_sources import find_frontend, load
from onnxpress.options import share
from onnxpress.recipe import Recipe, StepLike, find
from onnxpress.records import Comparison, Run
from onnxpress.registry import Registry
from onnxpress.run import check, transform
from onnxpress.runtime import Session, ports
from onnxpress.writing import Destination

if TYPE_CHECKING:
    import onnx_ir as ir

    from onnxpress.data import Samples

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
        source: A path (ONNX file, SavedModel folder, Keras, GraphDef, TFLite or ``.pt2`` file, checkpoint of TensorFlow
            1), an `onnx.ModelProto`, an `onnx_ir.Model`, a `keras.Model`, a `tf.Module`, a concrete function, a
            `torch.nn.Module` or a `torch.export.ExportedProgram`.  It is never changed.
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
    amct_config: str | Path | None = None,
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
        step_options: Values for options of the recipe's passes, by ``"pass.option"``; ``"*.option"`` is for every
            pass that has it.
        amct_config: A configuration of AMCT, JSON or simplified text: options for the recipe's passes, and the
            target.
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
    reader = find_frontend(source, registry, frontend)
    writer = None if out is None else find_backend(out, registry, backend)
    load_options, destination = _shared(options, reader, writer, out)
    config = None if amct_config is None else read(Path(amct_config))
    chosen = configured(find(recipe), registry, step_options=step_options or {}, target=target, config=config)
    check(chosen, registry)
    classes = labels_of(labels)
    if destination is not None:
        check_place(destination.path)
    before = load(source, reader, load_options, progress)
    if destination is not None:
        destination.check(before)
    chosen, warnings = fitted(chosen, registry, step_options=step_options or {}, config=config, model=before)
    inputs = ports(before.graph.inputs)
    samples = open_samples(data, inputs, preprocessing, random_data)
    tests = samples if evaluation is None else open_samples(evaluation, inputs, preprocessing, False)
    check_labels(classes, tests)
    context = Context(catalog=registry, data=samples, progress=progress, threads=threads)
    folder = _reproducer_folder(reproducer, out)
    after, run = transform(before, chosen, registry, context, reproducer_folder=folder)
    after.producer_name, after.producer_version = "onnxpress", __version__
    tell_origin(run, source, before, samples, warnings)
    if tests is not None:
        run.comparison = _compare(before, after, tests, classes, threads, progress)
    if bench:
        feeds = first_feeds(tests, inputs)
        run.benchmark = benchmark(before, after, feeds=feeds, threads=threads or 1, progress=progress)
    run.size_before = model_files.file_size(before)
    if destination is None:
        run.size_after = model_files.file_size(after)
    else:
        with progress.task(f"writing ({destination.writer.name})", None):
            destination.write(after, run, registry)
    return Result(model=after, run=run)


def _shared(
    options: Mapping[str, Any], reader: Frontend, writer: Backend | None, out: str | Path | None
) -> tuple[Mapping[str, Any], Destination | None]:
    """The options of the frontend, and where to write with those of the backend."""
    if writer is None or out is None:
        return share(options, reading(reader))[0], None
    load_options, emit_options = share(options, reading(reader), (f"backend {writer.name!r}", writer.emit))
    return load_options, Destination(path=Path(out), writer=writer, options=emit_options)


def tell_origin(run: Run, source: Any, model: ir.Model, samples: Samples | None, warnings: Iterable[str]) -> None:
    """Write into a run what went into it, and what the user must know of that.

    Args:
        run: The run.
        source: What the user gave.
        model: What was read from it.
        samples: What was calibrated on.
        warnings: Sentences on the recipe.
    """
    run.source = str(source) if isinstance(source, (str, Path)) else type(source).__name__
    run.warnings += [*warnings, *model.meta.get(WARNINGS_KEY, [])]
    if samples is not None:
        run.random_data = samples.is_random
        run.warnings += samples.notes


def _compare(
    before: ir.Model, after: ir.Model, tests: Samples, labels: Any, threads: int | None, progress: Progress
) -> Comparison:
    reference = Session(before, threads=threads)
    deployed = Session(after, optimize=True, threads=threads)
    return compare(reference, deployed, tests.batches(EVALUATION_BATCH), labels=labels, progress=progress)


def find_backend(out: str | Path, registry: Registry, name: str | None = None) -> Backend:
    """The backend called `name`, or the one for what `out` looks like: a folder, or a file by its longest suffix.

    Raises:
        InvalidOption: No backend writes that suffix.
    """
    if name is not None:
        return registry.get(Backend, name)
    path = Path(out)
    writers: dict[str, Backend] = {}
    for offer in registry.all(Backend).values():
        for suffix in offer.suffixes:
            writers.setdefault(suffix, offer)
    fitting = sorted((suffix for suffix in writers if path.name.endswith(suffix)), key=len)
    folder = str(out).endswith("/") or not path.suffix or (not fitting and path.is_dir())
    kind = "/" if folder else fitting[-1] if fitting else path.suffix
    if kind in writers:
        return writers[kind]
    suffixes = ", ".join(f"{suffix} ({offer.name})" for suffix, offer in writers.items())
    raise InvalidOption(f"no backend writes {path.name!r}; give the output one of the suffixes: {suffixes}")


def _reproducer_folder(given: str | Path | None, out: str | Path | None) -> Path | None:
    if given is not None:
        return Path(given)
    return None if out is None else Path(out).parent / f"{Path(out).name}.failed"
