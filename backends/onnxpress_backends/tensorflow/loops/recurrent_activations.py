"""The activations of ONNX's recurrent operators, by name, with their slopes.

A slope that is not given is that of the ONNX operator of the same name; of Affine and ScaledTanh, no operators any
more, it is 0, as in onnxruntime.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from onnxpress_backends.tensorflow.call import Call
from onnxpress_backends.tensorflow.graphs.graph import Tensor

Activation = Callable[[Call, Tensor], Tensor]
"""Writes an activation of a tensor with the pen it is given."""

_Writer = Callable[[Call, Tensor, float, float], Tensor]


@dataclass(frozen=True)
class _Kind:
    """How an activation is written, and its slopes where the node gives none."""

    write: _Writer
    alpha: float | None = None
    beta: float | None = None


def activations(call: Call, names: Sequence[str]) -> list[Activation]:
    """The activations of a node, in the order of its attribute.

    Args:
        call: The node.
        names: Which they are, where the node does not say.
    """
    alphas = iter(call.attribute("activation_alpha", ()))
    betas = iter(call.attribute("activation_beta", ()))
    return [_activation(call, name, alphas, betas) for name in call.attribute("activations", names)]


def _activation(call: Call, name: str, alphas: Iterator[float], betas: Iterator[float]) -> Activation:
    kind = _KINDS.get(name.lower())
    if kind is None:
        call.refuse(f"activation {name!r} is none that ONNX names")
    alpha = 0.0 if kind.alpha is None else next(alphas, kind.alpha)
    beta = 0.0 if kind.beta is None else next(betas, kind.beta)
    return lambda pen, tensor: kind.write(pen, tensor, alpha, beta)


def _plain(op: str) -> _Kind:
    return _Kind(lambda pen, x, alpha, beta: pen.emit(op, x))


def _affine(pen: Call, x: Tensor, alpha: float, beta: float) -> Tensor:
    if alpha != 1:
        x = pen.emit("Mul", x, pen.const(alpha, x.dtype))
    return x if beta == 0 else pen.emit("AddV2", x, pen.const(beta, x.dtype))


def _leaky_relu(pen: Call, x: Tensor, alpha: float, beta: float) -> Tensor:
    return pen.emit("LeakyRelu", x, alpha=alpha)


def _thresholded_relu(pen: Call, x: Tensor, alpha: float, beta: float) -> Tensor:
    above = pen.emit("Greater", x, pen.const(alpha, x.dtype))
    return pen.emit("SelectV2", above, x, pen.const(0, x.dtype))


def _scaled_tanh(pen: Call, x: Tensor, alpha: float, beta: float) -> Tensor:
    return pen.emit("Mul", pen.emit("Tanh", _affine(pen, x, beta, 0)), pen.const(alpha, x.dtype))


def _hard_sigmoid(pen: Call, x: Tensor, alpha: float, beta: float) -> Tensor:
    line = _affine(pen, x, alpha, beta)
    return pen.emit("Minimum", pen.emit("Relu", line), pen.const(1, x.dtype))


def _elu(pen: Call, x: Tensor, alpha: float, beta: float) -> Tensor:
    if alpha == 1:
        return pen.emit("Elu", x)
    below = pen.emit("Mul", pen.emit("Expm1", x), pen.const(alpha, x.dtype))
    return pen.emit("SelectV2", pen.emit("GreaterEqual", x, pen.const(0, x.dtype)), x, below)


_KINDS: Mapping[str, _Kind] = {
    "affine": _Kind(_affine, 0.0, 0.0),
    "elu": _Kind(_elu, 1.0),
    "hardsigmoid": _Kind(_hard_sigmoid, 0.2, 0.5),
    "leakyrelu": _Kind(_leaky_relu, 0.01),
    "relu": _plain("Relu"),
    "scaledtanh": _Kind(_scaled_tanh, 0.0, 0.0),
    "sigmoid": _plain("Sigmoid"),
    "softplus": _plain("Softplus"),
    "softsign": _plain("Softsign"),
    "tanh": _plain("Tanh"),
    "thresholdedrelu": _Kind(_thresholded_relu, 1.0),
}
