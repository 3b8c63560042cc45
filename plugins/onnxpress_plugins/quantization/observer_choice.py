"""Which observer looks at which tensor: one for all, and others for the tensors that certain layers read.

A layer's observer is written ``LAYER: observer name=value ...`` with the layer as `layer_selection` has it, for
instance ``conv1: hfmg num_of_bins=8192`` or ``<Linear>: ifmr search_step=0.02``; the last that speaks of a layer
decides.  A tensor has one scale, whoever reads it: where its readers ask for different observers, the first in the
graph has its way, and a warning names them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import onnx_ir as ir

from onnxpress.errors import InvalidOption
from onnxpress.kinds import Catalog, Observer, RangeTracker
from onnxpress.options import bind
from onnxpress.records import Notes
from onnxpress_plugins.layer_selection import check, last_word
from onnxpress_plugins.quantization.quantization_plan import Plan


@dataclass(frozen=True)
class Choice:
    """An observer with its options.

    Attributes:
        observer: Its name.
        options: Its options as text.
        track: Makes a tracker for one tensor.
    """

    observer: str
    options: tuple[str, ...]
    track: partial[RangeTracker]

    def __str__(self) -> str:
        return " ".join((self.observer, *self.options))


@dataclass(frozen=True)
class Choices:
    """The observer for all tensors, and those for the tensors of certain layers, by layer, as `layer_selection` has it.

    Raises:
        InvalidOption: A layer is not in the model.
    """

    general: Choice
    by_layer: Sequence[tuple[str, Choice]] = ()

    def of(self, model: ir.Model, plan: Plan, notes: Notes) -> dict[ir.Value, Choice]:
        """The choice for every tensor that `plan` observes."""
        check("layer_observers", [selector for selector, _ in self.by_layer], model)
        chosen = {}
        for group in plan.groups:
            choice = self._of_readers(group.values, list(_readers(plan, group.values)), notes)
            chosen.update(dict.fromkeys(group.sources, choice))
        return chosen

    def _of_readers(self, values: Sequence[ir.Value], readers: Sequence[ir.Node], notes: Notes) -> Choice:
        asked: dict[str, tuple[ir.Node, Choice]] = {}
        for node in readers:
            choice = last_word(self.by_layer, node) or self.general
            asked.setdefault(str(choice), (node, choice))
        if len(asked) > 1:
            wishes = ", ".join(f"{node.name!r} asks for {spelt}" for spelt, (node, _) in asked.items())
            notes.warn(f"tensor {values[0].name!r} has one scale for all that read it, but {wishes}: the first has it")
        return next((choice for _, choice in asked.values()), self.general)


def choose(catalog: Catalog, observer: str, options: Sequence[str], layer_observers: Sequence[str]) -> Choices:
    """Look the observers up and check their options.

    Args:
        catalog: Where observers are.
        observer: The one for all.
        options: Its options, each as ``name=value``.
        layer_observers: Those of layers, each as ``LAYER: observer name=value ...``.

    Raises:
        UnknownName: There is no such observer.
        InvalidOption: An option is not written as it must be, or does not fit the observer.
    """
    by_layer = []
    for rule in layer_observers:
        layer, colon, words = rule.rpartition(": ")
        if not colon or not layer or not words.split():
            raise InvalidOption(f"pass 'calibrate': layer_observers takes LAYER: OBSERVER NAME=VALUE ..., not {rule!r}")
        by_layer.append((layer, _choice(catalog, *words.split())))
    return Choices(_choice(catalog, observer, *options), by_layer)


def _choice(catalog: Catalog, observer: str, *options: str) -> Choice:
    offer = catalog.get(Observer, observer)
    bound = bind(f"observer {observer!r}", offer.build, _pairs(options))
    offer.build(**bound)
    return Choice(observer, options, partial(offer.build, **bound))


def _pairs(options: Sequence[str]) -> Mapping[str, str]:
    """``["percentile=99.9"]`` as a mapping."""
    for option in options:
        if "=" not in option:
            raise InvalidOption(f"pass 'calibrate': observer_options takes name=value, not {option!r}")
    return dict(option.split("=", 1) for option in options)


def _readers(plan: Plan, values: Sequence[ir.Value]) -> Iterator[ir.Node]:
    """The nodes that compute with one of `values` in integers, in topological order."""
    wanted = set(values)
    return (unit.node for unit in plan.units if unit.rule.worth != "through" and wanted.intersection(unit.computed()))
