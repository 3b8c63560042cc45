"""Find tensors that are normalised by their own mean and variance, and what to call the values this is done with.

    M = mean(X),    V = mean((X - M)^2) = mean(X^2) - M^2,    R = sqrt(V + epsilon)

with one ReduceMean for each mean, or one GlobalAveragePool, which tf2onnx makes of some.  They are found by what they
are, not by the operators they are made of: a mean is V if what it is taken of is ``X^2 - 2 X M + M^2`` as a
`Polynomial`, and ``V + M^2`` if that is ``X^2``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import onnx_ir as ir

from onnxpress.constants import array
from onnxpress_plugins.cleaning.global_pooling import reduced_axes
from onnxpress_plugins.fusion.derivation import derived
from onnxpress_plugins.fusion.polynomials import Polynomial

X, M, V, R = (Polynomial.variable(name) for name in "XMVR")
NORMALISED = (X - M) * R**-1
_SECOND = {(X - M) ** 2: V, X**2: V + M**2}
_ROOTS = {0.5: R, -0.5: R**-1}
ROUNDING = 1e-6
"""Relative; coefficients that are one number in the formula were rounded to float32 more than once, at most."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Moments:
    """A tensor, and the values that stand for its moments.

    Attributes:
        source: The tensor X.
        axes: The axes of X over which the moments are taken, in order.
        epsilon: What is added to the variance.
        given: Values of the graph, and what they are in terms of X, M and R.
        node: The node that takes the variance.
    """

    source: ir.Value
    axes: tuple[int, ...]
    epsilon: float
    given: Mapping[ir.Value, Polynomial]
    node: ir.Node


def averaged_axes(node: ir.Node) -> tuple[int, ...]:
    """The axes over which `node` takes the mean and keeps them with size 1; none if it does something else."""
    source = node.inputs[0] if node.inputs else None
    if node.domain or source is None or source.shape is None:
        return ()
    rank = len(source.shape)
    if node.op_type == "GlobalAveragePool":
        return tuple(range(2, rank))
    if node.op_type != "ReduceMean" or not node.attributes.get_int("keepdims", 1):
        return ()
    return tuple(sorted(axis % rank for axis in reduced_axes(node)))


def moments(node: ir.Node) -> Iterator[Moments]:
    """The moments whose mean is the result of `node`, or the same mean that was taken again."""
    axes, source = averaged_axes(node), node.inputs[0] if node.inputs else None
    if not axes or source is None:
        return
    means = [use.node for use in source.uses() if use.node.graph is node.graph and averaged_axes(use.node) == axes]
    if node is not means[0]:
        return
    first = {mean.outputs[0]: M for mean in means}
    for user, second in _means_of_squares({source: X, **first}, axes, node.graph):
        for epsilon, roots in _deviations({**first, user.outputs[0]: second}, node.graph):
            given = {source: X, **first, **roots}
            yield Moments(source=source, axes=axes, epsilon=epsilon, given=given, node=user)


def _means_of_squares(
    given: Mapping[ir.Value, Polynomial], axes: tuple[int, ...], graph: ir.Graph | ir.Function | None
) -> Iterator[tuple[ir.Node, Polynomial]]:
    """The nodes that take a second moment over `axes`, and what it is in terms of V and M."""
    for value, read in derived(given, graph).items():
        second = next((mean for square, mean in _SECOND.items() if read.is_close(square, rtol=ROUNDING)), None)
        for user in dict.fromkeys(use.node for use in value.uses()):
            if second is not None and user.graph is graph and averaged_axes(user) == axes:
                yield user, second


def _deviations(
    means: Mapping[ir.Value, Polynomial], graph: ir.Graph | ir.Function | None
) -> Iterator[tuple[float, dict[ir.Value, Polynomial]]]:
    """Every epsilon that is added to the variance, and what is computed of the square root of the sum."""
    for value, read in derived(means, graph).items():
        epsilon = read.factor(Polynomial.constant(1))
        powers = {use.node.outputs[0]: _power(use.node) for use in value.uses() if use.idx == 0}
        roots = {root: _ROOTS[power] for root, power in powers.items() if power in _ROOTS}
        if roots and epsilon.size == 1 and read.is_close(V + epsilon, rtol=ROUNDING):
            yield epsilon.item(), roots


def _power(node: ir.Node) -> float | None:
    """The power to which `node` raises its first input."""
    if node.op_type == "Sqrt" and not node.domain:
        return 0.5
    exponent = array(node.inputs[1]) if node.op_type == "Pow" and not node.domain else None
    return float(exponent.item()) if exponent is not None and exponent.size == 1 else None
