"""Write GELU as the one operator that it is: Gelu, of opset 20.

    exact     y = x / 2 * (1 + erf(x / sqrt(2)))
    tanh      y = x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3)))

(Hendrycks and Gimpel 2016, arXiv:1606.08415).  Both functions are odd, so that ``1 - erf(-x / sqrt(2))``, which is how
TensorFlow's ``erfc`` arrives, is the same.  The formula is recognised as a polynomial, whatever the order of its
factors and terms: beginning at Erf or Tanh, some ``x`` before it must make its argument the one above, and some ``y``
behind it must be ``x / 2 + x / 2 * E`` with what Erf or Tanh gives for ``E``.

A coefficient may be off by four roundings to the type of ``x``: exporters round every constant to it, half a unit in
the last place each, and no more than four are multiplied into one coefficient.

Left alone, with the reason, are other constants, what is used from inside the formula, constants of a shape that would
widen the result, and types but float32 and float16: onnxruntime (1.22 to 1.31) runs Gelu in these.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import pi, sqrt

import onnx_ir as ir

from onnxpress.kinds import Context, Pass, Target
from onnxpress.naming import Names
from onnxpress.records import Notes
from onnxpress_plugins.fusion.derivation import derived, operands
from onnxpress_plugins.fusion.fusing import Fuse, Match, between, keeps_shape
from onnxpress_plugins.fusion.polynomials import Polynomial

X, E = Polynomial.variable("X"), Polynomial.variable("E")
_ARGUMENTS = {"Erf": X * sqrt(1 / 2), "Tanh": (X + X**3 * 0.044715) * sqrt(2 / pi)}
_WRITTEN = {"Erf": "x / sqrt(2)", "Tanh": "sqrt(2 / pi) * (x + 0.044715 * x^3)"}
_APPROXIMATE = {"Erf": "none", "Tanh": "tanh"}
_TYPES = (ir.DataType.FLOAT, ir.DataType.FLOAT16)
_DEPTH = 6
"""Nodes from x to the argument of tanh: two for the cube, its factor, the sum, the factor of that, and one to spare."""


def find(graph: ir.Graph, notes: Notes) -> list[Match]:
    """Every GELU of one graph."""
    matches = []
    for node in graph:
        if node.op_type in _ARGUMENTS and not node.domain:
            match = _match(node)
            if isinstance(match, Match):
                matches.append(match)
            elif match is not None:
                notes.decline(node, match)
    return matches


def _match(curve: ir.Node) -> Match | str | None:
    """The GELU around an Erf or Tanh; why it is none, or nothing where nobody would take it for one."""
    reason, wanted = None, _ARGUMENTS[curve.op_type]
    for source, argument in _readings(curve):
        if argument.terms.keys() != wanted.terms.keys():
            continue
        reason = reason or f"its argument is not {_WRITTEN[curve.op_type]}"
        for sign in (1, -1):
            if argument.is_close(wanted * sign, rtol=_tolerance(source)):
                reason = f"no x / 2 * (1 + {curve.op_type.lower()}(...)) is made of it"
                result = _result(source, curve, sign)
                if result is not None:
                    return _obstacle(source, result) or _to_match(source, curve, result)
    return reason


def _readings(curve: ir.Node) -> Iterator[tuple[ir.Value, Polynomial]]:
    """Values that may be x, nearest first, and what the argument of `curve` is in terms of each."""
    argument = curve.inputs[0]
    assert argument is not None
    layer = {argument: None}
    seen: dict[ir.Value, None] = {}
    for _ in range(_DEPTH):
        seen |= layer
        makers = [maker for value in layer if (maker := value.producer()) is not None and maker.graph is curve.graph]
        layer = {value: None for maker in makers for value in operands(maker) if value not in seen}
    for source in seen:
        read = derived({source: X}, curve.graph).get(argument)
        if read is not None:
            yield source, read


def _result(source: ir.Value, curve: ir.Node, sign: int) -> ir.Value | None:
    wanted = (1 + E * sign) * X * 0.5
    known = derived({source: X, curve.outputs[0]: E}, curve.graph)
    return next((value for value, read in known.items() if read.is_close(wanted, rtol=_tolerance(source))), None)


def _tolerance(source: ir.Value) -> float:
    return 4 * 2.0 ** (-11 if source.dtype == ir.DataType.FLOAT16 else -24)


def _obstacle(source: ir.Value, result: ir.Value) -> str | None:
    if source.dtype not in _TYPES:
        of_type = "of unknown type" if source.dtype is None else source.dtype.name.lower()
        return f"{source.name!r} is {of_type}, and onnxruntime has Gelu for float32 and float16 alone"
    if not keeps_shape(source, result):
        return f"{result.name!r} is not known to have the shape of {source.name!r}"
    return None


def _to_match(source: ir.Value, curve: ir.Node, result: ir.Value) -> Match:
    def replacement(names: Names) -> list[ir.Node]:
        return [ir.node("Gelu", [source], {"approximate": _APPROXIMATE[curve.op_type]})]

    return Match(result, between([source], result), replacement)


def _build(context: Context) -> ir.passes.PassBase:
    target = context.catalog.get(Target, context.target)
    return Fuse(find, into="Gelu", version=20, target=target, notes=context.notes)


FUSE_GELU = Pass(
    name="fuse-gelu",
    summary="Make GELU, exact or by tanh, of the small operators that compute it",
    build=_build,
)
