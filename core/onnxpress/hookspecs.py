"""Every hook a plugin may implement: six that add, one that surrounds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    import onnx_ir as ir

    from onnxpress.kinds import Backend, Frontend, Observer, Pass, Report, Step, Target

hookspec = pluggy.HookspecMarker("onnxpress")
hookimpl = pluggy.HookimplMarker("onnxpress")


@hookspec
def onnxpress_frontends() -> Iterable[Frontend]:  # type: ignore[empty-body]
    """Source formats this plugin can read."""


@hookspec
def onnxpress_passes() -> Iterable[Pass]:  # type: ignore[empty-body]
    """Passes this plugin offers."""


@hookspec
def onnxpress_observers() -> Iterable[Observer]:  # type: ignore[empty-body]
    """Ways of turning calibration samples into a range."""


@hookspec
def onnxpress_targets() -> Iterable[Target]:  # type: ignore[empty-body]
    """Hardware this plugin describes."""


@hookspec
def onnxpress_backends() -> Iterable[Backend]:  # type: ignore[empty-body]
    """Formats this plugin can write."""


@hookspec
def onnxpress_reports() -> Iterable[Report]:  # type: ignore[empty-body]
    """Ways of rendering what a run did."""


@hookspec(firstresult=True)
def onnxpress_run_step(step: Step, model: ir.Model) -> ir.passes.PassResult | None:
    """Run one step.  Wrap it (``hookimpl(wrapper=True)``) to time, dump or compare every pass."""
