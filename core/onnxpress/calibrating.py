"""Calibration alone: the scales of a model, as AMCT's record file or as a file of ranges, without a new model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from onnxpress.ascend.configuration.reading import read
from onnxpress.configuring import configured, fitted
from onnxpress.errors import InvalidOption
from onnxpress.files import check_place
from onnxpress.kinds import WARNINGS_KEY, Backend, Context, Progress, Silent
from onnxpress.measuring.sources import open_samples, reading
from onnxpress.model_sources import find_frontend, load
from onnxpress.options import share
from onnxpress.recipe import Recipe, find
from onnxpress.records import Run
from onnxpress.registry import Registry
from onnxpress.run import check, transform
from onnxpress.runtime import ports
from onnxpress.workflow import RecipeLike, tell_origin


def calibrate(
    source: Any,
    *,
    record: str | Path | None = None,
    ranges: str | Path | None = None,
    recipe: RecipeLike | None = None,
    target: str | None = None,
    data: Any = None,
    preprocessing: Any = None,
    random_data: bool = False,
    step_options: Mapping[str, Any] | None = None,
    amct_config: str | Path | None = None,
    threads: int | None = None,
    frontend: str | None = None,
    registry: Registry | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Run:
    """Find the scales of a model and write them.

    Args:
        source: As for `onnxpress.convert`.  It is never changed.
        record: Where AMCT's record file goes, if anywhere.
        ranges: Where the ranges go, if anywhere, for the option ``ranges`` of pass ``calibrate``.
        recipe: The recipe, of which only what is needed is run: the steps up to ``calibrate``, and ``insert-qdq`` for a
            record.  None: ``ascend-calibrate`` for a record, ``int8`` for ranges alone.
        target: Name of the target; None leaves the recipe's.
        data: Calibration samples, in any form `onnxpress.data.load` takes.
        preprocessing: How image files become arrays.
        random_data: Calibrate on noise, for a smoke run.
        step_options: Values for options of the recipe's passes, by ``"pass.option"``.
        amct_config: A configuration of AMCT, JSON or simplified text: options for the recipe's passes, and the
            target.
        threads: Intra-op threads of onnxruntime; None leaves them to it.
        frontend: Name of the frontend; None lets the frontends say which accepts the source.
        registry: The plugins; None loads the installed ones.
        progress: Shows how far the work is.
        **options: Options of the frontend.

    Returns:
        What every step did, and the files written.

    Raises:
        OnnxpressError: Anything a user can act on; the message is one sentence.
    """
    record, ranges = (None if path is None else Path(path) for path in (record, ranges))
    if record is None and ranges is None:
        raise InvalidOption("nothing to write: give --record FILE for AMCT's scales, --ranges FILE for ranges, or both")
    if record is not None and ranges is not None and record.absolute() == ranges.absolute():
        raise InvalidOption(f"--record and --ranges are the same file, {record}")
    registry, progress = registry or Registry(), progress or Silent()
    chosen = find(recipe if recipe is not None else "int8" if record is None else "ascend-calibrate")
    config = None if amct_config is None else read(Path(amct_config))
    chosen = configured(chosen, registry, step_options=step_options or {}, target=target, config=config)
    chosen = _shortened(chosen, quantise=record is not None, ranges=ranges)
    check(chosen, registry)
    reader = find_frontend(source, registry, frontend)
    (load_options,) = share(options, reading(reader))
    for path in (record, ranges):
        if path is not None:
            check_place(path)
    before = load(source, reader, load_options, progress)
    chosen, warnings = fitted(chosen, registry, step_options=step_options or {}, config=config, model=before)
    samples = open_samples(data, ports(before.graph.inputs), preprocessing, random_data)
    context = Context(catalog=registry, data=samples, progress=progress, threads=threads)
    after, run = transform(before, chosen, registry, context)
    tell_origin(run, source, before, samples, warnings)
    if record is not None:
        run.files += [str(file) for file in registry.get(Backend, "amct-record").emit(after, record)]
        run.warnings += after.meta.get(WARNINGS_KEY, [])
    if ranges is not None:
        run.files.append(str(ranges))
    return run


def _shortened(recipe: Recipe, *, quantise: bool, ranges: Path | None) -> Recipe:
    """The steps up to the last `calibrate`, which saves its ranges, and `insert-qdq` if the scales are wanted."""
    names = [step.name for step in recipe.steps]
    lacking = [name for name in ("calibrate", *(("insert-qdq",) if quantise else ())) if name not in names]
    if lacking:
        raise InvalidOption(f"recipe {recipe.name!r} has no step {lacking[0]!r}, so that it finds no scales")
    last = len(names) - 1 - names[::-1].index("calibrate")
    saved = replace(recipe.steps[last], options={**recipe.steps[last].options, "save_ranges": ranges})
    rest = [step for step in recipe.steps[last + 1 :] if quantise and step.name == "insert-qdq"]
    return replace(recipe, steps=(*recipe.steps[:last], saved, *rest))
