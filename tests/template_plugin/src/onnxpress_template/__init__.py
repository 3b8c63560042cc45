"""Everything this plugin adds to onnxpress, one function per kind; leave out those you do not need.

Each function imports what it offers when it is asked, so that `onnxpress --help` stays quick.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import TYPE_CHECKING

from onnxpress import hookimpl

if TYPE_CHECKING:
    import onnx_ir as ir

    from onnxpress.kinds import Backend, Frontend, Observer, Pass, Report, Step, Target


@hookimpl
def onnxpress_passes() -> Iterable[Pass]:
    """A rewrite of the graph."""
    from onnxpress_template.scale_merging import MERGE_SCALES

    yield MERGE_SCALES


@hookimpl
def onnxpress_observers() -> Iterable[Observer]:
    """A way of turning calibration samples into a range."""
    from onnxpress_template.absolute_maximum import ABSOLUTE_MAXIMUM

    yield ABSOLUTE_MAXIMUM


@hookimpl
def onnxpress_targets() -> Iterable[Target]:
    """A piece of hardware."""
    from onnxpress_template.toy_npu import TOY_NPU

    yield TOY_NPU


@hookimpl
def onnxpress_frontends() -> Iterable[Frontend]:
    """A format to read."""
    from onnxpress_template.onnx_text import READER

    yield READER


@hookimpl
def onnxpress_backends() -> Iterable[Backend]:
    """A format to write."""
    from onnxpress_template.onnx_text import WRITER

    yield WRITER


@hookimpl
def onnxpress_reports() -> Iterable[Report]:
    """A rendering of what a run did."""
    from onnxpress_template.csv_report import CSV

    yield CSV


@hookimpl(wrapper=True)
def onnxpress_run_step(step: Step, model: ir.Model) -> Generator[None, ir.passes.PassResult, ir.passes.PassResult]:
    """Surround every step of every recipe: what stands before `yield` runs before the pass."""
    from onnxpress.model_files import size

    before = size(model)
    result = yield
    step.record.notes.details["bytes of weights"] = [before, size(result.model)]
    return result
