"""What becomes a variable of the SavedModel, and the places in a graph where its value stands instead of a constant."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from onnxpress_backends.tensorflow.layout.constants import Arrangement

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, eq=False)
class Parameter:
    """One variable.

    Attributes:
        name: Its name.
        trainable: Whether an optimiser should change it.
        array: Computes its first value.
    """

    name: str
    trainable: bool
    array: Callable[[], NDArray[Any]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Place:
    """A constant of the graph that a variable stands in for.

    Attributes:
        parameter: The variable.
        kept: How the variable is arranged.
        wanted: How the constant is.
        factor: The constant is the variable times this.
    """

    parameter: Parameter
    kept: Arrangement | None = None
    wanted: Arrangement | None = None
    factor: float = 1.0

    def value(self, tf: Any, variable: Any) -> Any:
        """The tensor for this place, made of the variable by TensorFlow's operators."""
        value = variable.value()
        if self.kept is not None and self.wanted is not None and self.kept != self.wanted:
            moved = tf.reshape(value, [self.kept.view[axis] for axis in self.kept.perm])
            plain = tf.transpose(moved, sorted(range(len(self.kept.perm)), key=self.kept.perm.__getitem__))
            value = tf.reshape(tf.transpose(tf.reshape(plain, self.wanted.view), self.wanted.perm), self.wanted.shape)
        return value if self.factor == 1 else value * tf.constant(self.factor, value.dtype)
