"""What can be done with a layer, before anybody decides: the interface between the parts of `decompose`.

    layers          nodes whose weight is one kernel, or why not              `layers.Layer`
    factorings      a kernel factored in one form, to be cut at any rank      `factorings.Factoring`
    candidates      a layer with its options: form, ranks, cost, error        `Candidate`, `Option`
    rank_choice     one option for each candidate, or none                    `rank_choice.choose`
    replacement     the stack in place of the node                            `onnxpress.decomposition.replacement`

Whoever knows more of a layer than its weight comes in at four places, all of which work without:

* a covariance of what the first part sees (`Covariances`) makes factors and errors those of the layer's *output*;
* a sensitivity, how much the network's output minds a layer's error, multiplies `Option.error` in the budget;
* seconds of a layer as it is and at an option take the place of `Candidate.macs` and `Option.macs`;
* `Candidate.weights` of a chosen option are what is measured before it is accepted, and what a bias makes up for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

from onnxpress.decomposition.stacks import Form
from onnxpress_plugins.decomposition.factorings import Factoring, factored
from onnxpress_plugins.decomposition.layers import Layer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.floating[Any]]

Covariances = Callable[[Layer, Form], "Array | None"]
"""Covariance of what the first part of a form sees, as `forms.split` and `forms.tucker2` take it; None: unknown."""


@dataclass(frozen=True, kw_only=True)
class Option:
    """One stack that may take the place of a layer.

    Attributes:
        form: How the kernel is parted.
        ranks: Channels between the parts.
        macs: Multiply-accumulates of the stack, counted as `Candidate.macs` is.
        error: Relative squared error, of the weight, or of the output where a covariance is known; 0 to 1.
    """

    form: Form
    ranks: tuple[int, ...]
    macs: int
    error: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Candidate:
    """A layer that can be replaced.

    Attributes:
        layer: The layer.
        macs: Its multiply-accumulates as it is, for one sample (`nominal_sizes`).
        options: What can take its place, cheapest first; each costs more than the one before and errs less.
        factorings: The kernel factored in every form of `options`.
    """

    layer: Layer
    macs: int
    options: Sequence[Option]
    factorings: Sequence[Factoring]

    def weights(self, option: Option) -> tuple[Array, ...]:
        """The weights of the parts of a stack, each ``(outputs, inputs, *kernel)``, in the type of the layer's."""
        return self.factoring(option.form).weights(option.ranks)

    def factoring(self, form: Form) -> Factoring:
        """The kernel factored in `form`, which is that of an option."""
        return next(own for own in self.factorings if own.form == form)


def candidate(
    layer: Layer,
    forms: Sequence[Form],
    *,
    step: int = 16,
    max_macs: float | None = None,
    sweeps: int = 0,
    covariances: Covariances | None = None,
) -> Candidate:
    """Factor a layer in every form and list its options.

    Args:
        layer: The layer.
        forms: Ways to part its kernel.
        step: Ranks are multiples of it.
        max_macs: Most that an option may cost; None: all ranks there are.
        sweeps: Alternating improvements of a `tucker2` stack.
        covariances: What is known of the inputs.

    Raises:
        InvalidModel: The weight holds NaN or infinity.
    """
    options: list[Option] = []
    made: list[Factoring] = []
    for form in forms:
        ranks = _ranks(layer, form, step, max_macs)
        if ranks:
            covariance = None if covariances is None else covariances(layer, form)
            factoring = factored(layer.weight, form, max(ranks), sweeps=sweeps, covariance=covariance)
            made.append(factoring)
            options += [
                Option(form=form, ranks=own, macs=layer.cost(form, own), error=factoring.error(own)) for own in ranks
            ]
    best = _frontier(options)
    used = {option.form for option in best}
    kept = [factoring for factoring in made if factoring.form in used]
    return Candidate(layer=layer, macs=layer.macs, options=best, factorings=kept)


def _ranks(layer: Layer, form: Form, step: int, max_macs: float | None) -> list[tuple[int, ...]]:
    """The ranks that are multiples of `step`, or the highest, and cost no more than allowed."""
    each = [[*range(step, most, step), most] for most in layer.full_ranks(form)]
    return [ranks for ranks in product(*each) if max_macs is None or layer.cost(form, ranks) <= max_macs]


def _frontier(options: Sequence[Option]) -> list[Option]:
    """The options that err less than all that cost no more, cheapest first."""
    best: list[Option] = []
    for option in sorted(options, key=lambda option: (option.macs, option.error)):
        if not best or option.error < best[-1].error:
            best.append(option)
    return best
