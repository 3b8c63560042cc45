"""The built-in passes, observers, targets and reports."""

from __future__ import annotations

from collections.abc import Iterable

from onnxpress import hookimpl
from onnxpress.kinds import Observer, Pass, Report, Target


@hookimpl
def onnxpress_passes() -> Iterable[Pass]:
    """Every pass of this package."""
    from onnxpress_plugins.bn_folding import FOLD_BATCH_NORM
    from onnxpress_plugins.clean_up import CLEAN_UP

    yield CLEAN_UP
    yield FOLD_BATCH_NORM


@hookimpl
def onnxpress_observers() -> Iterable[Observer]:
    """Every observer of this package."""
    yield from ()


@hookimpl
def onnxpress_targets() -> Iterable[Target]:
    """Every target of this package."""
    yield from ()


@hookimpl
def onnxpress_reports() -> Iterable[Report]:
    """Every report of this package."""
    yield from ()
