"""Which values of a graph are polynomials in some given ones.

From the given values on, forward: the result of Add, Sum, Sub, Mul, Div, Neg, Reciprocal, Identity or Pow to a small
integer is a polynomial when its operands are, or are constant.  One divides by constants that are not zero, and by
quantities that are said to be never zero.  A polynomial of more than four terms is given up: the formulas that are
looked for have at most three, and one more on the way.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping

import numpy as np
import onnx_ir as ir

from onnxpress.constants import array, constant
from onnxpress_plugins.fusion.polynomials import Polynomial

_TERMS = 4
_LARGEST_POWER = 3


def derived(
    given: Mapping[ir.Value, Polynomial], graph: ir.Graph | ir.Function | None, *, never_zero: str = ""
) -> dict[ir.Value, Polynomial]:
    """Every value that nodes of `graph` compute from the `given` ones and constants alone, and what it is.

    Args:
        given: Values and what they stand for; they come first in the result.
        graph: Where to look; its subgraphs are not entered.
        never_zero: Names, of one letter each, of quantities by which one may divide.
    """
    found = dict(given)
    waiting = deque(use.node for value in given for use in value.uses())
    while waiting:
        node = waiting.popleft()
        if node.graph is not graph or node.outputs[0] in found:
            continue
        with np.errstate(all="ignore"):  # constants such as the infinity of an attention mask
            result = _result(node, found, frozenset(never_zero))
        if result is not None and len(result.terms) <= _TERMS:
            found[node.outputs[0]] = result
            waiting.extend(use.node for use in node.outputs[0].uses())
    return found


def operands(node: ir.Node) -> list[ir.Value]:
    """The computed inputs of a node that may take part in a polynomial; none for any other node."""
    if node.domain or node.op_type not in _OPERATORS:
        return []
    return [value for value in node.inputs if value is not None and constant(value) is None]


def _result(node: ir.Node, found: Mapping[ir.Value, Polynomial], never_zero: frozenset[str]) -> Polynomial | None:
    if node.domain or node.op_type not in _OPERATORS:
        return None
    terms = [_operand(value, found) for value in node.inputs]
    known = [term for term in terms if term is not None]
    if len(known) < len(terms):
        return None
    if node.op_type in _DIVISIONS and not known[-1].divides(never_zero):
        return None
    return _OPERATORS[node.op_type](*known)


def _operand(value: ir.Value | None, found: Mapping[ir.Value, Polynomial]) -> Polynomial | None:
    if value is not None and value in found:
        return found[value]
    numbers = array(value)
    return None if numbers is None else Polynomial.constant(numbers)


def _power(base: Polynomial, exponent: Polynomial) -> Polynomial | None:
    number = exponent.factor(Polynomial.constant(1))
    whole = set(exponent.terms) == {()} and number.size == 1 and number.item() in range(1, _LARGEST_POWER + 1)
    return base ** int(number.item()) if whole else None


_DIVISIONS = ("Div", "Reciprocal")
_OPERATORS: dict[str, Callable[..., Polynomial | None]] = {
    "Add": lambda a, b: a + b,
    "Sum": lambda *terms: sum(terms, Polynomial({})),
    "Sub": lambda a, b: a - b,
    "Mul": lambda a, b: a * b,
    "Div": lambda a, b: a * b**-1,
    "Neg": lambda a: -a,
    "Reciprocal": lambda a: a**-1,
    "Identity": lambda a: a,
    "Pow": _power,
}
