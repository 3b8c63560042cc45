"""Which of the nodes that could run in integers should: those whose neighbours do too.

An operator that computes much (Conv, Gemm, MatMul) always pays.  One that computes little pays only between integer
kernels: quantising the input of a lone Add costs more than the Add.  One that moves numbers goes with its neighbours.

So start from all candidates and drop, until nothing changes, every "between" node that no integer kernel feeds or
whose output no integer kernel wants; both are seen through "through" nodes.  Dropping only ever takes away reasons to
stay, so the result is the largest stable set, and it does not depend on the order.  An operator whose output may stay
float counts as feeding nobody: it is quantised behind only when somebody wants that.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import onnx_ir as ir

from onnxpress_plugins.quantization.eligibility import Unit

NOT_FED = "what feeds it is float"
NOT_WANTED = "what uses it is float"


class Regions:
    """The stable set.

    Args:
        candidates: Units in topological order.

    Attributes:
        units: Those that run in integers, in order.
        dropped: The others, with the reason.
    """

    def __init__(self, candidates: Sequence[Unit]) -> None:
        self.dropped: list[tuple[Unit, str]] = []
        self.units = list(candidates)
        while self._drop(between=True):
            pass
        self._drop(between=False)

    def _drop(self, *, between: bool) -> bool:
        fed, wanted = _fed(self.units), _wanted(self.units)
        reasons = [_reason(unit, fed, wanted, between=between) for unit in self.units]
        self.dropped += [(unit, reason) for unit, reason in zip(self.units, reasons, strict=True) if reason]
        self.units = [unit for unit, reason in zip(self.units, reasons, strict=True) if not reason]
        return any(reasons)


def _reason(unit: Unit, fed: set[ir.Value], wanted: set[ir.Value], *, between: bool) -> str | None:
    is_fed, is_wanted = _any(unit.computed(), fed), _any(unit.outputs, wanted)
    if unit.rule.worth == "between" and between and not (is_fed and is_wanted):
        return NOT_WANTED if is_fed else NOT_FED
    if unit.rule.worth == "through" and not between and not (is_fed or is_wanted):
        return NOT_FED
    return None


def _fed(units: Sequence[Unit]) -> set[ir.Value]:
    fed: set[ir.Value] = set()
    for unit in units:
        through = unit.rule.worth == "through"
        if _any(unit.computed(), fed) if through else unit.rule.output == "always":
            fed.update(unit.outputs)
    return fed


def _wanted(units: Sequence[Unit]) -> set[ir.Value]:
    wanted: set[ir.Value] = set()
    for unit in reversed(units):
        if unit.rule.worth != "through" or _any(unit.outputs, wanted):
            wanted.update(unit.computed())
    return wanted


def _any(values: Iterable[ir.Value], known: set[ir.Value]) -> bool:
    return any(value in known for value in values)
