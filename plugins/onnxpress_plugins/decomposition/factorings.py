"""A kernel factored in one form, ready to be cut at any rank.

Two parts: leading rows and columns of one factorisation are the best factors of every smaller rank.  Three parts,
Tucker-2: with the kernel turned into the bases of its leading channels on either side, the energy of what ranks (s, r)
keep is that of the first s x r channels of the turned kernel, so that one table of sums tells the error of every pair.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from onnxpress.decomposition.forms import folded, root_of, tucker2
from onnxpress.decomposition.leading_subspace import leading
from onnxpress.decomposition.matrix_factors import factor
from onnxpress.decomposition.stacks import Form
from onnxpress.decomposition.unfoldings import Unfolding

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.floating[Any]]


class Factoring(Protocol):
    """A kernel factored in one form."""

    @property
    def form(self) -> Form:
        """How the kernel is parted."""

    def error(self, ranks: tuple[int, ...]) -> float:
        """Relative squared error at these ranks, 0 to 1, in the norm that was minimised."""

    def weights(self, ranks: tuple[int, ...]) -> tuple[Array, ...]:
        """The weights of the parts, each ``(outputs, inputs, *kernel)``, in the type of the layer's."""


def full_ranks(form: Form, shape: Sequence[int]) -> tuple[int, ...]:
    """The ranks at which a kernel ``(outputs, inputs, *kernel)`` is what it was, whatever it holds."""
    if len(form.parts) == 1:
        return ()
    if len(form.parts) == 3:
        return shape[1], shape[0]
    first, second = (int(np.prod([shape[at + 2] for at in part])) for part in form.parts)
    return (min(shape[1] * first, shape[0] * second),)


def factored(
    weight: Array, form: Form, ranks: tuple[int, ...], *, sweeps: int = 0, covariance: Array | None = None
) -> Factoring:
    """Factor a kernel so that it can be cut at any ranks up to `ranks`.

    Args:
        weight: ``(outputs, inputs, *kernel)``, finite.
        form: How it is parted.
        ranks: The highest that will be asked for.
        sweeps: Alternating improvements (HOOI) of three parts, when they are cut.
        covariance: Of what the first part sees, ``(n, n)``; None minimises the error of the weight.
    """
    if len(form.parts) == 3:
        return _Tucker(weight, form, sweeps=sweeps, covariance=covariance)
    return _Split(weight, form, ranks[0], covariance=covariance)


class _Split:
    def __init__(self, weight: Array, form: Form, rank: int, *, covariance: Array | None) -> None:
        self.form = form
        self._weight = weight
        self._unfolding = Unfolding(weight, form.parts[0])
        self._factors = factor(self._unfolding, rank, root=None if covariance is None else root_of(covariance))

    def error(self, ranks: tuple[int, ...]) -> float:
        return self._factors.error(ranks[0]) ** 2

    def weights(self, ranks: tuple[int, ...]) -> tuple[Array, ...]:
        return folded(self._unfolding, self._factors.cut(ranks[0]), self._weight)


class _Tucker:
    def __init__(self, weight: Array, form: Form, *, sweeps: int, covariance: Array | None) -> None:
        self.form = form
        self._weight, self._sweeps, self._covariance = weight, sweeps, covariance
        numbers = weight.reshape(*weight.shape[:2], -1).astype(np.float64)
        if covariance is not None:
            numbers = np.einsum("oik,ij->ojk", numbers, root_of(covariance).astype(np.float64), optimize=True)
        for axis in (0, 1):
            matrix = np.moveaxis(numbers, axis, 0).reshape(numbers.shape[axis], -1)
            basis = leading(matrix @ matrix.T, len(matrix))[1]
            numbers = np.moveaxis(np.tensordot(basis.T, numbers, axes=(1, axis)), 0, axis)
        self._kept = np.square(numbers).sum(axis=2).cumsum(axis=0).cumsum(axis=1)

    def error(self, ranks: tuple[int, ...]) -> float:
        total = float(self._kept[-1, -1])
        kept = float(self._kept[ranks[1] - 1, ranks[0] - 1])
        return max(1 - kept / total, 0.0) if total else 0.0

    def weights(self, ranks: tuple[int, ...]) -> tuple[Array, ...]:
        before, behind = ranks
        return tucker2(self._weight, (before, behind), sweeps=self._sweeps, covariance=self._covariance)
