"""The difference between two streams of arrays, as running sums in float64; memory does not grow.

SQNR = 10 log10(sum a^2 / sum (a - b)^2) dB          cosine = sum a b / sqrt(sum a^2 sum b^2)
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from onnxpress.errors import InvalidData, UnsupportedModel
from onnxpress.records import OutputDifference

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from onnxpress.kinds import Array


@dataclass
class Difference:
    """Running sums over one pair of outputs.

    Attributes:
        name: Name of the output in model A.
        scores: Whether rows are scores per class.
        right_a: Rows in which A's best class is the label.
        right_b: Rows in which B's best class is the label.
    """

    name: str
    scores: bool = False
    right_a: int = 0
    right_b: int = 0
    _rows: int = 0
    _agreeing: int = 0
    _count: int = 0
    _max: float = 0.0
    _largest: float = 0.0
    _sums: NDArray[np.float64] = field(default_factory=lambda: np.zeros(5))

    def update(self, a: Array, b: Array, labels: NDArray[np.int64] | None = None) -> None:
        """Take one batch of outputs, and the classes of its rows.

        Raises:
            UnsupportedModel: Shapes differ, or the outputs are text.
            InvalidData: A label is no class.
        """
        if a.shape != b.shape:
            raise UnsupportedModel(f"output {self.name!r} has shape {list(a.shape)} in A and {list(b.shape)} in B")
        if a.dtype.kind not in "biuf" and a.dtype.name != "bfloat16":
            raise UnsupportedModel(f"output {self.name!r} holds {a.dtype}, which has no numeric error")
        one, other = a.astype(np.float64).ravel(), b.astype(np.float64).ravel()
        with np.errstate(invalid="ignore"):
            error = np.where(one == other, 0.0, one - other)
            self._sums += np.abs(error).sum(), error @ error, one @ one, other @ other, one @ other
        self._count += one.size
        self._max = max(self._max, float(np.abs(error).max(initial=0.0)), key=_nan_first)
        self._largest = max(self._largest, float(np.abs(one).max(initial=0.0)), key=_nan_first)
        self._rank(a, b, labels)

    def _rank(self, a: Array, b: Array, labels: NDArray[np.int64] | None) -> None:
        self.scores = a.ndim > 1 and a.dtype.kind != "b" and a.shape[1:].count(1) == a.ndim - 2 and a[0].size > 1
        if not self.scores:
            return
        best_a, best_b = (scores.reshape(len(scores), -1).argmax(axis=1) for scores in (a, b))
        self._rows += len(a)
        self._agreeing += int((best_a == best_b).sum())
        if labels is not None and len(labels) == len(a):
            if not (labels.min() >= 0 and labels.max() < a[0].size):
                raise InvalidData(
                    f"labels reach from {labels.min()} to {labels.max()}, classes from 0 to {a[0].size - 1}"
                )
            self.right_a += int((best_a == labels).sum())
            self.right_b += int((best_b == labels).sum())

    def result(self) -> OutputDifference:
        """The metrics of everything seen so far."""
        total, noise, power_a, power_b, product = self._sums.tolist()
        return OutputDifference(
            name=self.name,
            max_abs=self._max,
            mean_abs=total / max(self._count, 1),
            max_relative=_ratio(self._max, self._largest),
            sqnr_db=_decibels(power_a, noise),
            cosine=1.0
            if not power_a and not power_b
            else _ratio(product, math.sqrt(power_a) * math.sqrt(power_b), 0.0),
            top1_agreement=self._agreeing / self._rows if self._rows else None,
        )


def _decibels(signal: float, noise: float) -> float:
    if noise == 0:
        return math.inf
    if signal == 0:
        return -math.inf
    return 10 * math.log10(signal / noise) if math.isfinite(signal) and math.isfinite(noise) else math.nan


def _ratio(dividend: float, divisor: float, otherwise: float = math.inf) -> float:
    if divisor == 0:
        return 0.0 if dividend == 0 else otherwise
    return dividend / divisor


def _nan_first(value: float) -> tuple[bool, float]:
    return math.isnan(value), value
