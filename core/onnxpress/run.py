"""Takes a model through a recipe, each step on a copy and verified, so that a failure leaves the model whole."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx_ir as ir
from onnx_ir.passes.common import NameFixPass

from onnxpress import ranges, reproducer
from onnxpress.errors import (
    InvalidData,
    InvalidModel,
    InvalidOption,
    InvalidRecipe,
    MissingDependency,
    OnnxpressError,
    StepFailed,
)
from onnxpress.hookspecs import hookimpl
from onnxpress.kinds import Context, Pass, Step, Target
from onnxpress.options import bind
from onnxpress.ranges import META_KEY
from onnxpress.recipe import Recipe, StepLike, find, to_toml
from onnxpress.records import Notes, Run, StepRecord
from onnxpress.verify import verify

if TYPE_CHECKING:
    from onnxpress.registry import Registry


def transform(
    model: ir.Model,
    recipe: str | Path | Recipe | Iterable[StepLike],
    registry: Registry,
    context: Context,
    *,
    reproducer_folder: Path | None = None,
) -> tuple[ir.Model, Run]:
    """Apply the passes of a recipe in order.

    Every pass is looked up and its options are checked before the first one runs.

    Args:
        model: The model; it is never changed.
        recipe: A recipe, its name or path, or a list of steps.
        registry: Where passes are looked up, and whose ``onnxpress_run_step`` wrappers surround each step.
        context: What the passes may ask for.
        reproducer_folder: Where a step that fails leaves its reproducer; None writes none.

    Returns:
        The new model, and the record of what every step did.

    Raises:
        UnknownName, InvalidOption, InvalidRecipe: The recipe cannot be run as written.
        InvalidModel: The model breaks a rule of `verify` before any step.
        InvalidData, MissingDependency: A step lacks data or a package; nothing is wrong with model or pass.
        InvalidOption, InvalidRecipe: What was asked for does not fit the model, e.g. names a node it does not have.
        StepFailed: A pass raised or left an invalid graph.
    """
    recipe = find(recipe)
    context = replace(context, target=recipe.target or context.target)
    steps = [
        _build(name=step.name, options=dict(step.options), registry=registry, context=context) for step in recipe.steps
    ]
    run = Run(recipe=to_toml(recipe), versions=reproducer.versions())
    if recipe.ranges is not None:
        model = _with_ranges(model, recipe.ranges)
    if steps:
        model = model.clone()
        verify(model)
    with _own_hooks(registry):
        for index, step in enumerate(steps):
            run.steps.append(step.record)
            try:
                model = _apply(step, model, registry)
            except (InvalidData, InvalidOption, InvalidRecipe, MissingDependency):
                raise
            except Exception as error:  # a pass is not ours: whatever it raises is reported with a way to rerun it
                rest = replace(recipe, steps=recipe.steps[index:], target=context.target, ranges=None)
                raise _failure(step, model, rest, error, reproducer_folder) from error
    return model, run


def check(recipe: Recipe, registry: Registry) -> None:
    """Make sure that a recipe can be run as written, before anything slow is done.

    Raises:
        UnknownName, InvalidOption: A pass or the target is unknown, or an option does not fit.
    """
    if recipe.target is not None:
        registry.get(Target, recipe.target)
    for step in recipe.steps:
        bind(f"pass {step.name!r}", registry.get(Pass, step.name).build, step.options)


def _build(*, name: str, options: dict[str, object], registry: Registry, context: Context) -> Step:
    offer = registry.get(Pass, name)
    bound = bind(f"pass {name!r}", offer.build, options)
    notes = Notes()
    try:
        run = offer.build(replace(context, notes=notes), **bound)
    except OnnxpressError:
        raise
    except Exception as error:  # a pass is not ours
        raise StepFailed(f"pass {name!r} cannot be built: {type(error).__name__}: {error}") from error
    return Step(run=run, record=StepRecord(name=name, options=bound, notes=notes))


def _apply(step: Step, model: ir.Model, registry: Registry) -> ir.Model:
    step.record.nodes_before = _count_nodes(model)
    result: ir.passes.PassResult = registry.manager.hook.onnxpress_run_step(step=step, model=shielded(model))
    step.record.modified = result.modified
    if not result.modified:
        step.record.nodes_after = step.record.nodes_before
        return model
    settle(result.model, model)
    step.record.nodes_after = _count_nodes(result.model)
    return result.model


def settle(after: ir.Model, before: ir.Model) -> None:
    """Make the names of what a pass returned unique, and check what must hold between any two steps.

    Raises:
        InvalidModel: A rule of `verify` is broken, or the inputs or outputs are called otherwise than before.
    """
    NameFixPass()(after)
    verify(after)
    if _interface(after) != _interface(before):
        raise InvalidModel(f"it changed the inputs or outputs from {_interface(before)} to {_interface(after)}")
    for new, old in zip(after.graph.outputs, before.graph.outputs, strict=True):
        _keep_dimensions(new, old)


def _keep_dimensions(new: ir.Value, old: ir.Value) -> None:
    """Where inference knows no size for an output, what was declared before the step still holds."""
    if new.shape is not None and old.shape is not None and len(new.shape) == len(old.shape):
        new.shape = ir.Shape([a if isinstance(a, int) else b for a, b in zip(new.shape, old.shape, strict=True)])


def shielded(model: ir.Model) -> ir.Model:
    """A clone whose weights refuse to be written to: their memory is that of the original."""
    clone = model.clone()
    for graph in clone.graphs():
        for value in graph.initializers.values():
            tensor = value.const_value
            if isinstance(tensor, ir.Tensor) and isinstance(tensor.raw, np.ndarray):
                view = tensor.raw.view()
                view.flags.writeable = False
                value.const_value = ir.Tensor(view, tensor.dtype, name=value.name, doc_string=tensor.doc_string)
    return clone


def _failure(step: Step, model: ir.Model, rest: Recipe, error: Exception, folder: Path | None) -> StepFailed:
    what = str(error) if isinstance(error, OnnxpressError) else f"{type(error).__name__}: {error}"
    sentence = f"pass {step.name!r} failed: {what}"
    if folder is None:
        return StepFailed(sentence)
    try:
        command = reproducer.write(folder, model, rest, error)
    except OnnxpressError as unwritten:
        return StepFailed(f"{sentence} (no reproducer: {unwritten})")
    return StepFailed(f"{sentence}\nthe model before it is in {folder}; rerun with: {command}")


def _with_ranges(model: ir.Model, path: Path) -> ir.Model:
    known = ranges.load(path)
    model = model.clone()
    for graph in model.graphs():
        for value in [*graph.inputs, *(output for node in graph for output in node.outputs)]:
            if value.name in known:
                value.meta[META_KEY] = known[value.name]
    return model


def _interface(model: ir.Model) -> tuple[list[str | None], list[str | None]]:
    return [value.name for value in model.graph.inputs], [value.name for value in model.graph.outputs]


def _count_nodes(model: ir.Model) -> int:
    return sum(1 for _ in model.graph.all_nodes())


class _Default:
    """The innermost implementation: just run the pass."""

    @hookimpl(trylast=True)
    def onnxpress_run_step(self, step: Step, model: ir.Model) -> ir.passes.PassResult:
        return step.run(model)


class _Timing:
    """Times every step; what a third-party wrapper looks like too."""

    @hookimpl(wrapper=True)
    def onnxpress_run_step(self, step: Step) -> Generator[None, ir.passes.PassResult, ir.passes.PassResult]:
        start = time.perf_counter()
        try:
            return (yield)
        finally:
            step.record.seconds = time.perf_counter() - start


@contextmanager
def _own_hooks(registry: Registry) -> Iterator[None]:
    own = (_Default(), _Timing())
    for plugin in own:
        registry.manager.register(plugin)
    try:
        yield
    finally:
        for plugin in own:
            registry.manager.unregister(plugin)
