"""Calibrate: find the range of every tensor that the target will quantise, from samples, in one streaming pass.

Which tensors these are is the plan that `insert-qdq` carries out (`quantization_plan`), so the two passes take the same
options for what to exclude; no other tensor is looked at.  How a range comes of what was seen is the observer's affair
(`observer_choice`).
Memory does not grow with the number of samples, and neither their order nor the batches they come in change the result.

Nothing is written, to the model or to a file, before the last sample has been seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import onnx_ir as ir

from onnxpress import ranges as range_file
from onnxpress.errors import InvalidData
from onnxpress.kinds import Context, Dataset, Pass, RangeTracker, Target
from onnxpress.ranges import META_KEY, Range
from onnxpress.records import Notes
from onnxpress_plugins.quantization.observer_choice import Choices, choose
from onnxpress_plugins.quantization.observing import check_limit, observe
from onnxpress_plugins.quantization.quantization_plan import Plan, observed, plan

_HOW_TO_GIVE_DATA = (
    "give samples of what the model will see with --data PATH, a file of ranges found before as the option 'ranges', "
    "or --random-data for a smoke run"
)


class Source(Protocol):
    """Where ranges come from."""

    def find(self, model: ir.Model, plan: Plan, notes: Notes) -> Mapping[ir.Value, Range]:
        """The range of each tensor that `plan` observes in `model`."""


@dataclass(frozen=True)
class FromFile:
    """Ranges that were saved before, by tensor name."""

    path: Path

    def find(self, model: ir.Model, plan: Plan, notes: Notes) -> Mapping[ir.Value, Range]:
        """Look every value up; ranges of other tensors may be in the file too."""
        values = observed(plan)
        known = range_file.load(self.path)
        missing = [value.name for value in values if value.name not in known]
        if missing:
            raise InvalidData(
                f"{self.path} lacks the ranges of {len(missing)} of {len(values)} tensors to quantise, "
                f"the first of them {missing[0]!r}; calibrate this model with data"
            )
        notes.details.update(ranges=str(self.path), tensors=len(values))
        return {value: known[value.name or ""] for value in values}


@dataclass(frozen=True, kw_only=True)
class FromSamples:
    """Ranges measured by running the model.

    Attributes:
        data: The samples.
        context: Where progress and the number of threads come from.
        choices: The observers.
        limit: How many samples to use at most; None uses all.
    """

    data: Dataset
    context: Context
    choices: Choices
    limit: int | None

    def find(self, model: ir.Model, plan: Plan, notes: Notes) -> Mapping[ir.Value, Range]:
        """Run the model on every sample."""
        chosen = self.choices.of(model, plan, notes)
        trackers = {value: choice.track() for value, choice in chosen.items()}
        seen = observe(
            model, trackers, self.data, limit=self.limit, threads=self.context.threads, progress=self.context.progress
        )
        if not seen:
            raise InvalidData(f"the calibration data hold no sample; {_HOW_TO_GIVE_DATA}")
        if self.data.is_random:
            notes.warn("calibrated on random data: the ranges mean nothing, and the accuracy will not either")
        notes.details.update(observer=self.choices.general.observer, samples=seen, tensors=len(chosen))
        others = {value.name: str(choice) for value, choice in chosen.items() if choice is not self.choices.general}
        if others:
            notes.details["other observers"] = others
        return {value: _range(value, tracker, chosen[value].observer) for value, tracker in trackers.items()}


def _range(value: ir.Value, tracker: RangeTracker, observer: str) -> Range:
    low, high = tracker.range()
    try:
        return Range(float(low), float(high))
    except InvalidData as error:  # nothing seen, as every sample was empty, or a third party's mistake
        raise InvalidData(f"observer {observer!r} gives no range for tensor {value.name!r}: {error}") from error


class Calibrate(ir.passes.InPlacePass):
    """The pass.

    Args:
        target: What the model will run on.
        source: Where the ranges come from.
        save_ranges: Where to write them, if anywhere.
        notes: Where to say what was found.
        **excluded: What stays float, as `quantization_plan.plan` takes it.
    """

    def __init__(
        self, target: Target, source: Source, save_ranges: Path | None, notes: Notes, **excluded: Sequence[str]
    ) -> None:
        super().__init__()
        self._target = target
        self._source = source
        self._save_ranges = save_ranges
        self._notes = notes
        self._excluded = excluded

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Put a `Range` into the metadata of every value to be quantised.

        Raises:
            InvalidData: The data do not fit, hold no sample, or make a tensor NaN or infinite.
            InvalidOption: What is to be excluded is not in the model.
        """
        decided = plan(model, self._target, **self._excluded)
        values = observed(decided)
        if not values:
            self._notes.warn(f"nothing to calibrate: {self._target.name} would quantise no node of this model")
            return ir.passes.PassResult(model, modified=False)
        found = self._source.find(model, decided, self._notes)
        if self._save_ranges is not None:
            range_file.save({value.name or "": found[value] for value in values}, self._save_ranges)
        for value in values:
            value.meta[META_KEY] = found[value]
        self._notes.count("tensors calibrated", len(values))
        return ir.passes.PassResult(model, modified=True)


def _build(
    context: Context,
    *,
    observer: str = "minmax",
    observer_options: list[str] = [],  # noqa: B006
    layer_observers: list[str] = [],  # noqa: B006
    samples: int | None = None,
    ranges: Path | None = None,
    save_ranges: Path | None = None,
    target: str | None = None,
    exclude_nodes: list[str] = [],  # noqa: B006
    exclude_patterns: list[str] = [],  # noqa: B006
    exclude_ops: list[str] = [],  # noqa: B006
    only_nodes: list[str] = [],  # noqa: B006
) -> ir.passes.PassBase:
    check_limit("calibrate", samples)
    choices = choose(context.catalog, observer, observer_options, layer_observers)
    if ranges is not None:
        source: Source = FromFile(ranges)
    elif context.data is not None:
        source = FromSamples(data=context.data, context=context, choices=choices, limit=samples)
    else:
        raise InvalidData(f"calibration has no data; {_HOW_TO_GIVE_DATA}")
    return Calibrate(
        context.catalog.get(Target, target or context.target),
        source,
        save_ranges,
        context.notes,
        exclude_nodes=exclude_nodes,
        exclude_patterns=exclude_patterns,
        exclude_ops=exclude_ops,
        only_nodes=only_nodes,
    )


CALIBRATE = Pass(
    name="calibrate",
    summary="Find the ranges of the tensors that the target will quantise, from samples or from a file",
    build=_build,
)
