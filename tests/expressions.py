"""Formulas written as ONNX nodes in an order that hypothesis draws."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
from hypothesis import strategies as st

from calibrated import graph


class Formula:
    """A graph text that grows: every method writes nodes and gives the name of their result."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw
        self._nodes: list[str] = []
        self._constants: dict[str, Any] = {}

    def op(self, op_type: str, *operands: str, attributes: str = "") -> str:
        """One node."""
        name = f"t{len(self._nodes)}"
        self._nodes.append(f"{name} = {op_type}{attributes}({', '.join(operands)})")
        return name

    def number(self, value: Any) -> str:
        """A float32 constant, a scalar possibly written with one element."""
        name = f"c{len(self._constants)}"
        shape = np.shape(value) or self._draw(st.sampled_from([(), (1,)]))
        self._constants[name] = np.full(shape, value, np.float32)
        return name

    def product(self, *factors: str) -> str:
        """Their product, in any order."""
        return self._joined("Mul", factors)

    def total(self, *terms: str) -> str:
        """Their sum, in any order."""
        return self._joined("Add", terms)

    def scaled(self, operand: str, factor: float) -> str:
        """`operand` times `factor`: multiplied, or divided by one over it."""
        if self._draw(st.booleans()):
            return self.product(operand, self.number(factor))
        return self.op("Div", operand, self.number(1 / factor))

    def difference(self, one: str, other: str) -> str:
        """``one - other``, or ``one + (-other)``."""
        if self._draw(st.booleans()):
            return self.op("Sub", one, other)
        return self.total(one, self.op("Neg", other))

    def choice(self) -> bool:
        """Heads or tails."""
        return self._draw(st.booleans())

    def model(self, result: str, x: str) -> ir.Model:
        """The model that gives `result`."""
        return graph(" ".join([*self._nodes, f"y = Identity({result})"]), x=x, **self._constants)

    def _joined(self, op_type: str, operands: Sequence[str]) -> str:
        left = list(operands)
        while len(left) > 1:
            first, second = (left.pop(self._draw(st.integers(0, len(left) - 1))) for _ in range(2))
            left.append(self.op(op_type, first, second))
        return left[0]
