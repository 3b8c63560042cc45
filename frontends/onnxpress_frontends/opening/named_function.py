"""What every TensorFlow source becomes: one concrete function whose inputs and outputs carry the user's names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from onnxpress.errors import InvalidOption

if TYPE_CHECKING:
    from onnxpress.kinds import Array


@dataclass(frozen=True)
class Endpoint:
    """An input or output: the name the user knows, and the symbolic `tf.Tensor` in the function's graph."""

    name: str
    tensor: Any


@dataclass(frozen=True, kw_only=True)
class NamedFunction:
    """A TensorFlow function ready to be run or converted.

    Attributes:
        title: Name of the model.
        function: The `tf.ConcreteFunction`.
        inputs: Its inputs, in the order in which it takes them.
        outputs: The outputs to keep, in the order the user knows.
        owner: What holds the captured variables, which a function does not keep alive itself.
        weights: Arrays that the function takes as arguments after the inputs, in that order, by name of its tensor
            (``"kernel:0"``); variables that it captures are not among them.
    """

    title: str
    function: Any
    inputs: tuple[Endpoint, ...]
    outputs: tuple[Endpoint, ...]
    owner: Any
    weights: Mapping[str, Array] = field(default_factory=dict)

    def select(self, inputs: Sequence[str] | None, outputs: Sequence[str] | None) -> NamedFunction:
        """The same function with only the `outputs` named, in that order.

        Raises:
            InvalidOption: A name is unknown, or `inputs` leaves one of the inputs out.
        """
        if inputs is not None and sorted(inputs) != sorted(endpoint.name for endpoint in self.inputs):
            raise InvalidOption(f"option 'inputs' must name all inputs of {self.title!r}: {_names(self.inputs)}")
        if outputs is None:
            return self
        known = {endpoint.name: endpoint for endpoint in self.outputs}
        missing = [name for name in outputs if name not in known]
        if missing:
            raise InvalidOption(f"{self.title!r} has no output {missing[0]!r}; its outputs: {_names(self.outputs)}")
        return replace(self, outputs=tuple(known[name] for name in outputs))


def arguments(function: Any) -> list[Any]:
    """The symbolic inputs of a concrete function that a caller passes, without captured variables."""
    return list(function.inputs[: len(function.inputs) - len(function.captured_inputs)])


def endpoints(names: Iterable[str], tensors: Iterable[Any], *, taken: Iterable[str] = ()) -> tuple[Endpoint, ...]:
    """Pair names and tensors; a name that is there already gets ``_1``, ``_2`` ..."""
    seen: Counter[str] = Counter(taken)
    paired = []
    for name, tensor in zip(names, tensors, strict=True):
        unique = name
        while unique in seen:
            unique = f"{name}_{seen[name]}"
            seen[name] += 1
        seen[unique] += 1
        paired.append(Endpoint(unique, tensor))
    return tuple(paired)


def _names(items: Iterable[Endpoint]) -> str:
    return ", ".join(repr(endpoint.name) for endpoint in items)
