"""How an operator of a TFLite graph is called: operands are tensors of TensorFlow, or arrays where they are known."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from onnxpress.errors import UnsupportedModel
from onnxpress_frontends.tensorflow_import import import_tensorflow

if TYPE_CHECKING:
    from onnxpress_frontends.tflite.contents import Operator, Tensor

Handler = Callable[["Call"], Any]
"""Gives the result of a call in TensorFlow, a sequence of them where the operator has several."""

Operators = Mapping[str, Handler]

_ACTIVATIONS = ("NONE", "RELU", "RELU_N1_TO_1", "RELU6", "TANH", "SIGN_BIT")
_PADDINGS = ("SAME", "VALID")
"""Names of the values of ``ActivationFunctionType`` and ``Padding``, in order."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Call:
    """One operator and what it is given.

    Attributes:
        operator: The operator.
        operands: A tensor or array for each of its inputs, None for one left out.  Quantised ones are float32.
        inputs: What the file says of them, None for one left out.
        outputs: What the file says of the results.
        graph: Another graph of the file by its index, as a function of tensors that gives a list of them.
    """

    operator: Operator
    operands: Sequence[Any]
    inputs: Sequence[Tensor | None]
    outputs: Sequence[Tensor]
    graph: Callable[[int], Callable[..., list[Any]]]

    def option(self, name: str, default: Any = 0) -> Any:
        """An option by the schema's name of it, `default` where the file has no options."""
        return getattr(self.operator.options, name, default)

    def operand(self, index: int) -> Any:
        """An operand, None where it is left out."""
        return self.operands[index] if index < len(self.operands) else None

    @property
    def dtype(self) -> str:
        """The type that the first result is computed in."""
        return computed_dtype(self.outputs[0])

    def padding(self) -> str:
        """``SAME`` or ``VALID``."""
        return _PADDINGS[self.option("padding")]

    def activated(self, value: Any) -> Any:
        """`value` behind the activation that is fused into the operator."""
        activation = _ACTIVATIONS[self.option("fusedActivationFunction")]
        if activation == "NONE":
            return value
        if activation not in ACTIVATIONS:
            raise self.refused(f"its activation {activation} has no ONNX form")
        return ACTIVATIONS[activation](value)

    def refused(self, why: str) -> UnsupportedModel:
        """The error that says why this operator cannot be converted."""
        return UnsupportedModel(f"{self.operator.code} {self.outputs[0].name!r} cannot be converted: {why}")


def computed_dtype(tensor: Tensor) -> str:
    """What the values of a tensor are computed in: float32 where integers stand for other numbers."""
    return tensor.dtype if tensor.grid is None else "float32"


def function(path: str) -> Callable[..., Any]:
    """A function of TensorFlow by its path in the package, looked up when it is called."""
    return lambda *operands, **options: attrgetter(path)(import_tensorflow())(*operands, **options)


def direct(path: str) -> Handler:
    """A handler that passes all operands on to a function of TensorFlow."""
    return lambda call: function(path)(*call.operands)


def clipped(low: float, high: float) -> Callable[[Any], Any]:
    """A function that keeps its operand between two numbers."""
    return lambda value: function("clip_by_value")(value, low, high)


ACTIVATIONS: Mapping[str, Callable[[Any], Any]] = {
    "RELU": function("nn.relu"),
    "RELU6": function("nn.relu6"),
    "RELU_N1_TO_1": clipped(-1.0, 1.0),
    "TANH": function("tanh"),
}
