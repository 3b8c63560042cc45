"""Write layer normalisation as the one operator that it is: LayerNormalization, of opset 17.

    y = gamma * (x - mean) / sqrt(variance + epsilon) + beta        (Ba, Kiros and Hinton 2016, arXiv:1607.06450)

with the mean and the variance of x itself over some of its axes (`layer_norm_moments`, `layer_norm_by_batch_norm`).
What is computed of them is recognised as a polynomial, whatever the order:

    y = gamma * X / R - gamma * M / R + beta

so that it is the same whether x is centred and then divided (TensorFlow 1, PyTorch) or has a factor and a shift
worked out for it first, ``x * (gamma / R) + (beta - M * gamma / R)``, as tf.nn.batch_normalization and with it Keras
does.  Constants behind it that multiply or shift each normalised element alike become part of gamma and beta, which
are composed in float64 and rounded once; without any, gamma is 1 and there is no beta.

LayerNormalization is over the last axes.  Where tf2onnx has moved the channels first (ConvNeXt), a Transpose before
it brings them to the end and one behind it brings them back: with both it is still 1.8 to 2.9 times as fast in
onnxruntime 1.31 as the small operators, and as a rule one cancels another that is there already.

Left alone, with the reason, are: values that are used from inside the formula, a gamma or beta that varies otherwise
than the normalised elements, sizes that are not known, types but float32 and float16 (ONNX takes the moments in
float32).  Where the mean is hundreds of times the deviation, onnxruntime before 1.27 is less exact in one piece, for it
takes the variance as ``mean(x^2) - mean(x)^2``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import onnx_ir as ir

from onnxpress.constants import initializer
from onnxpress.kinds import Context, Pass, Target
from onnxpress.naming import Names, title
from onnxpress.records import Notes
from onnxpress_plugins.fusion.derivation import derived
from onnxpress_plugins.fusion.fusing import Fuse, Match, between, keeps_shape
from onnxpress_plugins.fusion.layer_norm_by_batch_norm import row_moments
from onnxpress_plugins.fusion.layer_norm_moments import NORMALISED, ROUNDING, Moments, R, X, moments
from onnxpress_plugins.fusion.polynomials import Polynomial

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

_TYPES = (ir.DataType.FLOAT, ir.DataType.FLOAT16)
_ONE = Polynomial.constant(1)


def find(graph: ir.Graph, notes: Notes) -> list[Match]:
    """Every layer normalisation of one graph."""
    matches = []
    for node in graph:
        rows = row_moments(node)
        for found in moments(node) if rows is None else (rows,):
            for match in _matches(found, graph):
                if isinstance(match, Match):
                    matches.append(match)
                else:
                    notes.decline(found.node, match)
    return matches


def _matches(found: Moments, graph: ir.Graph) -> list[Match | str]:
    """What the moments are used for; why it is no LayerNormalization."""
    known = derived(found.given, graph, never_zero="R")
    normalised = {value: read for value, read in known.items() if _is_affine(read)}
    firsts = [value for value in normalised if not any(operand in normalised for operand in _inputs(value))]
    if not firsts:
        return ["no gamma * (x - mean) / sqrt(variance + epsilon) + beta is made of its moments"]
    return [_match(found, value, normalised) for value in firsts]


def _is_affine(read: Polynomial) -> bool:
    """Whether this is ``gamma * (X - M) / R + beta``."""
    gamma, beta = read.factor(X * R**-1), read.factor(_ONE)
    return bool(gamma.any()) and read.is_close(NORMALISED * gamma + beta, rtol=ROUNDING)


def _inputs(value: ir.Value) -> list[ir.Value | None]:
    maker = value.producer()
    return [] if maker is None else list(maker.inputs)


def _match(found: Moments, result: ir.Value, normalised: Mapping[ir.Value, Polynomial]) -> Match | str:
    parameters = _parameters(found, result, normalised[result])
    if isinstance(parameters, str):
        return parameters
    while (further := _only_user(result)) is not None and further in normalised:
        composed = _parameters(found, further, normalised[further])
        if isinstance(composed, str):
            break
        result, parameters = further, composed
    return Match(result, between([found.source], result), lambda names: _nodes(found, result, parameters, names))


def _only_user(value: ir.Value) -> ir.Value | None:
    """What is computed of `value` alone or with constants, None if it has other uses."""
    users = list(value.uses())
    return users[0].node.outputs[0] if len(users) == 1 and not value.is_graph_output() else None


def _parameters(found: Moments, result: ir.Value, read: Polynomial) -> tuple[Numbers, Numbers] | str:
    """Gamma and beta, each of the shape of the normalised axes."""
    source, shape = found.source, found.source.shape
    if source.dtype not in _TYPES:
        return f"{source.name!r} is not float32 or float16"
    if shape is None or not all(isinstance(shape[axis], int) for axis in found.axes):
        return f"the sizes of {source.name!r} that are normalised together are not all known"
    if not keeps_shape(source, result):
        return f"{result.name!r} is not known to have the shape of {source.name!r}"
    gamma, beta = (_along(read.factor(term), found) for term in (X * R**-1, _ONE))
    if gamma is None or beta is None:
        return "its scale or shift varies otherwise than along the axes that are normalised"
    return gamma, beta


def _along(numbers: Numbers, found: Moments) -> Numbers | None:
    """What multiplies or shifts each normalised element; None if that depends on another axis, too."""
    assert found.source.shape is not None
    sizes = [
        size if axis in found.axes and isinstance(size, int) else 1 for axis, size in enumerate(found.source.shape)
    ]
    try:
        return np.broadcast_to(numbers, sizes).reshape([sizes[axis] for axis in found.axes])
    except ValueError:
        return None


def _nodes(found: Moments, result: ir.Value, parameters: tuple[Numbers, Numbers], names: Names) -> list[ir.Node]:
    maker, dtype = result.producer(), found.source.dtype
    assert maker is not None and isinstance(maker.graph, ir.Graph) and dtype is not None
    rank, name = len(result.shape or ()), title(maker)
    gamma, beta = (numbers.astype(dtype.numpy()) for numbers in parameters)
    constants = [initializer(maker.graph, names.fresh(f"{name}_scale"), gamma)]
    if beta.any():
        constants.append(initializer(maker.graph, names.fresh(f"{name}_bias"), beta))
    attributes = {"axis": rank - len(found.axes), "epsilon": found.epsilon}
    order = [*(axis for axis in range(rank) if axis not in found.axes), *found.axes]
    if order == sorted(order):
        return [ir.node("LayerNormalization", [found.source, *constants], attributes)]
    there = ir.node("Transpose", [found.source], {"perm": order}, name=names.fresh(f"{name}_channels_last"))
    normal = ir.node("LayerNormalization", [*there.outputs, *constants], attributes, name=names.fresh(f"{name}_norm"))
    for node in (there, normal):
        node.outputs[0].name = node.name
    return [there, normal, ir.node("Transpose", normal.outputs, {"perm": np.argsort(order).tolist()})]


def _build(context: Context) -> ir.passes.PassBase:
    target = context.catalog.get(Target, context.target)
    return Fuse(find, into="LayerNormalization", version=17, target=target, notes=context.notes)


FUSE_LAYER_NORM = Pass(
    name="fuse-layer-norm",
    summary="Make layer normalisation of the small operators that compute it",
    build=_build,
)
