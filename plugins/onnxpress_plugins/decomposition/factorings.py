"""A kernel factored in one form, ready to be cut at any rank.

Two parts: leading rows and columns of one factorisation are the best factors of every smaller rank.  Three parts,
Tucker-2: with the kernel turned into the bases of its leading channels on either side, the energy of what ranks (s, r)
keep is that of the first s x r channels of the turned kernel, so that one table of sums tells the error of every pair.

Where some outputs count more than others (`output_moments`), what is factored is the kernel with its outputs scaled,

    diag(d) W ~ B A        W ~ (diag(1/d) B) A

so that the error that is least is the weighed one; at full rank the stack is the layer all the same.

Errors are those of samples that the factors were not made for (`parted_moments`), of which S is the covariance.  Terms
b a of orthogonal b, as those of two parts are, each account for their own share of what is lost, |b|^2 a S a^T.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from onnxpress.decomposition.forms import basis, folded, root_of, tucker2, turned
from onnxpress.decomposition.matrix_factors import Factors, factor, narrowed
from onnxpress.decomposition.triangular_roots import unwhiten
from onnxpress.decomposition.unfoldings import CHUNK, Unfolding
from onnxpress_plugins.decomposition.moments.moment_gathering import Moments
from onnxpress_plugins.decomposition.ways import Way

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.floating[Any]]


_FEW, _CHANCE = 5, 0.1
"""Samples for each direction below which a covariance is rough, and the share of the mean variance that is added."""


class Factoring(Protocol):
    """A kernel factored in one form."""

    def error(self, ranks: tuple[int, ...]) -> float:
        """Relative squared error at these ranks, of the weight, or of the layer's output."""

    def noise_ranks(self, rule: Callable[[Array, int, int], int]) -> tuple[int, ...]:
        """The ranks above noise by `rule`, which takes all singular values, rows and columns of a matrix.

        They are those of the weight, whatever it was factored for, which must have been for its full rank.
        """

    def weights(self, ranks: tuple[int, ...]) -> tuple[Array, ...]:
        """The weights of the parts, each ``(outputs, inputs, *kernel)``, in the type of the layer's."""


def factored(weight: Array, way: Way, rank: int, *, sweeps: int = 0, moments: Moments | None = None) -> Factoring:
    """Factor a kernel.

    Args:
        weight: ``(outputs, inputs, *kernel)``, finite.
        way: How it is parted.
        rank: The highest that two parts will be cut at.
        sweeps: Alternating improvements (HOOI) of three parts, when they are cut.
        moments: What the layer sees and gives; None minimises the error of the weight.
    """
    if way.form == "tucker2":
        return _Tucker(weight, moments, sweeps=sweeps)
    return _Split(weight, moments, way.first_axes, rank)


def _covariance(moments: Moments | None) -> Array | None:
    """What the layer sees; where few samples tell, some of it is put down to chance, beyond what `root_of` does."""
    if moments is None or moments.count >= _FEW * len(moments.covariance):
        return None if moments is None else moments.covariance
    covariance = moments.covariance.copy()
    np.einsum("ii->i", covariance)[:] += _CHANCE * float(np.trace(covariance)) / len(covariance)
    return covariance


def _scales(weight: Array, moments: Moments | None) -> Array | None:
    """By what the outputs of a kernel are scaled, in its type, ``(outputs, 1, ...)``; None where all count alike."""
    if moments is None or moments.scales is None:
        return None
    return moments.scales.astype(weight.dtype).reshape(-1, *(1,) * (weight.ndim - 1))


def _reference(moments: Moments | None, total: float) -> float:
    """What squared errors are relative to."""
    return total or 1.0 if moments is None or not moments.variance else moments.variance


def _lost(matrix: Unfolding, factors: Factors, moments: Moments | None) -> NDArray[np.float64]:
    """Squared error at every rank, relative to the variance of the layer's output, or to the weight."""
    if moments is None or moments.unseen is None:
        total, kept = factors.total, factors.energies.astype(np.float64)
    else:
        seen = np.einsum("ij,ij->i", factors.first @ moments.unseen, factors.first, dtype=np.float64)
        kept = np.square(factors.second).sum(axis=0, dtype=np.float64) * seen
        total = float(np.vdot(matrix.gram(of_rows=False, dtype=moments.unseen.dtype), moments.unseen))
    lost = np.maximum(total - np.cumsum(kept), 0.0)
    return lost / _reference(moments, total)


class _Split:
    def __init__(self, weight: Array, moments: Moments | None, first_axes: Sequence[int], rank: int) -> None:
        self._weight, self._scales, self._is_blind = weight, _scales(weight, moments), moments is None
        self._first_axes, self._unfolding = first_axes, Unfolding(weight, first_axes)
        covariance = _covariance(moments)
        scaled = self._unfolding if self._scales is None else Unfolding(weight * self._scales, first_axes)
        made = factor(scaled, rank, root=None if covariance is None else root_of(covariance))
        self._lost = _lost(scaled, made, moments)
        first, second = narrowed(made.first, made.second, weight.dtype)
        self._factors = Factors(first, second, made.energies, made.total)

    def error(self, ranks: tuple[int, ...]) -> float:
        return float(self._lost[ranks[0] - 1])

    def noise_ranks(self, rule: Callable[[Array, int, int], int]) -> tuple[int, ...]:
        if not self._is_blind:
            return _Split(self._weight, None, self._first_axes, self._unfolding.side).noise_ranks(rule)
        sides = sorted((self._unfolding.rows, self._unfolding.columns))
        return (rule(np.sqrt(self._factors.energies), sides[0], sides[1]),)

    def weights(self, ranks: tuple[int, ...]) -> tuple[Array, ...]:
        first, second = folded(self._unfolding, self._factors.cut(ranks[0]), self._weight)
        return first, second if self._scales is None else second / self._scales


class _Tucker:
    def __init__(self, weight: Array, moments: Moments | None, *, sweeps: int) -> None:
        self._weight, self._scales, self._sweeps = weight, _scales(weight, moments), sweeps
        self._is_blind = moments is None
        self._covariance = _covariance(moments)
        core = self._scaled().reshape(*weight.shape[:2], -1)
        core = core.astype(np.result_type(core, np.float32), copy=False)
        root = None if self._covariance is None else root_of(self._covariance).astype(np.float64)
        if root is not None:
            core = turned(core, 1, root)
        self._spectra, bases = [], []
        for axis in (0, 1):
            channels = core.shape[axis]
            energies, columns = basis(core, axis, channels)
            self._spectra.append((np.sqrt(energies), channels, core.size // channels))
            core = turned(core, axis, columns)
            bases.append(columns.astype(np.float64))
        unseen = None
        if root is not None and moments is not None and moments.unseen is not None:
            unwhiten(bases[1], root)
            unseen = bases[1].T @ moments.unseen @ bases[1]
        self._lost = _lost_of_core(core, unseen)
        self._lost /= _reference(moments, float(self._lost[0, 0]))

    def error(self, ranks: tuple[int, ...]) -> float:
        return max(float(self._lost[ranks[1], ranks[0]]), 0.0)

    def noise_ranks(self, rule: Callable[[Array, int, int], int]) -> tuple[int, ...]:
        if not self._is_blind:
            return _Tucker(self._weight, None, sweeps=0).noise_ranks(rule)
        behind, before = (rule(*spectrum) for spectrum in self._spectra)
        return before, behind

    def weights(self, ranks: tuple[int, ...]) -> tuple[Array, ...]:
        before, behind = ranks
        *parts, last = tucker2(self._scaled(), (before, behind), sweeps=self._sweeps, covariance=self._covariance)
        return *parts, last if self._scales is None else last / self._scales

    def _scaled(self) -> Array:
        return self._weight if self._scales is None else self._weight * self._scales


def _lost_of_core(core: Array, covariance: NDArray[np.float64] | None) -> NDArray[np.float64]:
    """What is lost of a core when only leading channels are kept, ``(outputs + 1, inputs + 1)``, by how many.

    Args:
        core: ``(outputs, inputs, taps)``, about orthonormal outputs.
        covariance: Of its inputs; None: 1.
    """
    pairs = None if covariance is None else 2 * np.tril(covariance, -1) + np.diag(covariance.diagonal())
    shares = np.empty(core.shape[:2])
    step = max(1, CHUNK * len(core) // core.size)
    for start in range(0, len(core), step):
        own = core[start : start + step].astype(np.float64)
        others = own if pairs is None else turned(own, 1, pairs)
        shares[start : start + step] = np.einsum("oik,oik->oi", own, others)
    behind = np.pad(shares[:, ::-1].cumsum(axis=1)[:, ::-1], [(0, 0), (0, 1)])  # of each output, from an input on
    dropped = behind[:, 0].sum() - np.pad(behind[:, 0].cumsum(), (1, 0))
    return np.asarray(dropped[:, None] + np.pad(behind.cumsum(axis=0), [(1, 0), (0, 0)]))
