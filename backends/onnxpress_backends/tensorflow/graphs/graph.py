"""A TensorFlow graph under construction: nodes of TensorFlow's own operators, typed, and the functions that they call.

It knows TensorFlow's operators from `op_definitions` and imports nothing of TensorFlow.  Names are chosen when the
graph is done, so that an output can take the name the user knows without an Identity in front of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from onnxpress_backends.tensorflow.graphs.dtypes import DType, of_numpy
from onnxpress_backends.tensorflow.graphs.op_definitions import OpDefinition, definition

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from onnxpress_backends.tensorflow.graphs.functions import Function
    from onnxpress_backends.tensorflow.layout.constants import Grid, Weight

_SMALL = 256
"""Bytes up to which equal constants are one node."""

_ILLEGAL = re.compile(r"[^A-Za-z0-9_./\->]")


@dataclass(eq=False)
class Node:
    """One node.

    Attributes:
        op: TensorFlow's operator.
        name: Its name; unique in its graph.
        inputs: What it reads.
        attrs: Its attributes as Python values; a type is a `DType`, a shape a sequence of sizes with None for an
            unknown one, or None for an unknown rank, a function a `Function`.
        dtypes: Types of its outputs.
        origin: The ONNX node it was written for, as a message names it.
        weight: For a Const made of an initialiser: which one, and how it is arranged; its ``value`` attribute is
            then not set.
        grid: For a FakeQuant: what it rounds to.
    """

    op: str
    name: str
    inputs: tuple[Tensor, ...]
    attrs: dict[str, Any]
    dtypes: tuple[DType, ...]
    origin: str = ""
    weight: Weight | None = None
    grid: Grid | None = None


@dataclass(frozen=True)
class Tensor:
    """Output `index` of `node`."""

    node: Node
    index: int = 0

    @property
    def dtype(self) -> DType:
        """Type of its elements."""
        return self.node.dtypes[self.index]


@dataclass(eq=False)
class Graph:
    """Nodes in topological order.

    Attributes:
        nodes: The nodes; an input is a node of the operator Placeholder.
        outputs: What the graph gives, by name.
        functions: The functions that its nodes call, theirs too, in the order they were made.
        updates: Statistics that a run in training changes: the weight, and what it becomes.
    """

    nodes: list[Node] = field(default_factory=list)
    outputs: dict[str, Tensor] = field(default_factory=dict)
    functions: list[Function] = field(default_factory=list)
    updates: dict[Tensor, Tensor] = field(default_factory=dict)
    _names: set[str] = field(default_factory=set)
    _small: dict[tuple[DType, tuple[int, ...], bytes], Tensor] = field(default_factory=dict)

    def add(self, op: str, *inputs: Tensor | Sequence[Tensor], name: str | None = None, **attrs: Any) -> Node:
        """Append a node; its type attributes follow from its inputs.

        Args:
            op: TensorFlow's operator.
            *inputs: One per input of the operator's definition; a sequence where it takes several tensors.
            name: What to call it; made unique.  None: after the operator.
            **attrs: Its other attributes.

        Raises:
            TypeError: The inputs or attributes are not those of the definition; a mistake in a rule.
        """
        known = definition(op)
        _bind(op, known, inputs, attrs)
        flat = tuple(tensor for given in inputs for tensor in ([given] if isinstance(given, Tensor) else given))
        node = Node(op, self.unique(name or op), flat, attrs, _output_types(known, attrs))
        self.nodes.append(node)
        return node

    def constant(self, array: NDArray[Any], name: str | None = None) -> Tensor:
        """A Const; small equal ones are one node."""
        array = np.asarray(array)
        key = (of_numpy(array.dtype), array.shape, b"" if array.dtype.kind in "OSU" else array.tobytes())
        if array.dtype.kind in "OSU" or array.nbytes > _SMALL:
            return self._constant(array, key[0], name)
        if key not in self._small:
            self._small[key] = self._constant(array, key[0], name)
        return self._small[key]

    def _constant(self, array: NDArray[Any], dtype: DType, name: str | None) -> Tensor:
        return Tensor(self.add("Const", name=name, value=array, dtype=dtype))

    def weight(self, weight: Weight, name: str) -> Tensor:
        """A Const made of an initialiser; its data are read when the graph is written."""
        node = Node("Const", self.unique(name), (), {"dtype": weight.dtype}, (weight.dtype,), weight=weight)
        self.nodes.append(node)
        return Tensor(node)

    @property
    def root(self) -> Graph:
        """The graph that holds the library of functions: itself, unless it is a function."""
        return self

    def unique(self, name: str) -> str:
        """A legal node name that is not taken yet; it is then."""
        legal = legal_name(name)
        free, count = legal, 0
        while free.lower() in self._names:
            count += 1
            free = f"{legal}_{count}"
        self._names.add(free.lower())
        return free

    def reserve(self, names: Sequence[str]) -> None:
        """Keep names for inputs and outputs: `unique` gives them to no other node."""
        self._names.update(name.lower() for name in names)

    def finish(self, outputs: dict[str, Tensor]) -> None:
        """Say what the graph gives: the node of each output takes its name, where it gives nothing else.

        Args:
            outputs: The tensors by name; each name legal and reserved.
        """
        claimed: set[Node] = set()
        for name, tensor in outputs.items():
            if tensor.node.op == "Placeholder" and tensor.node.name == name:
                self.outputs[name] = tensor
                continue
            plain = tensor.index == 0 and tensor.node.op not in ("Placeholder", "Const")
            if not plain or tensor.node in claimed or len(tensor.node.dtypes) > 1:
                tensor = Tensor(self.add("Identity", tensor))
            claimed.add(tensor.node)
            tensor.node.name = name
            self.outputs[name] = tensor
        self._drop_unused([*self.outputs.values(), *self.updates, *self.updates.values()])

    def _drop_unused(self, results: Iterable[Tensor]) -> None:
        used = {tensor.node for tensor in results}
        for node in reversed(self.nodes):
            if node in used or node.op == "Placeholder":
                used.update(tensor.node for tensor in node.inputs)
                used.add(node)
        self.nodes = [node for node in self.nodes if node in used]


def legal_name(name: str) -> str:
    """The name as TensorFlow allows it; ``:0`` at the end is TensorFlow's own way to say the first output."""
    legal = _ILLEGAL.sub("_", name.removesuffix(":0")) or "node"
    return legal if legal[0].isalnum() or legal[0] == "." else f"n{legal}"


def _bind(op: str, known: OpDefinition, inputs: Sequence[Tensor | Sequence[Tensor]], attrs: dict[str, Any]) -> None:
    if len(inputs) != len(known.inputs):
        raise TypeError(f"{op} takes {len(known.inputs)} inputs, not {len(inputs)}")
    for (argument, kind), given in zip(known.inputs, inputs, strict=True):
        many = [given] if isinstance(given, Tensor) else list(given)
        if kind.startswith("*"):
            _settle(op, attrs, kind[1:], [tensor.dtype for tensor in many])
            continue
        count, _, of = kind.rpartition("*")
        if count:
            _settle(op, attrs, count, len(many))
        for tensor in many:
            if not of.startswith("="):
                _settle(op, attrs, of, tensor.dtype)
            elif tensor.dtype != int(of[1:]):
                raise TypeError(f"{op}: {argument} must be {DType(int(of[1:])).name}, not {tensor.dtype.name}")
    for name in attrs:
        if name not in known.attrs:
            raise TypeError(f"{op} has no attribute {name!r}")
    for name, kind in known.attrs.items():
        if name not in attrs:
            if name not in known.defaults:
                raise TypeError(f"{op} needs attribute {name!r}")
            default = known.defaults[name]
            attrs[name] = DType(default) if kind == "type" else default


def _settle(op: str, attrs: dict[str, Any], name: str, value: Any) -> None:
    if attrs.setdefault(name, value) != value:
        raise TypeError(f"{op}: {name} would be both {attrs[name]!r} and {value!r}")


def _output_types(known: OpDefinition, attrs: dict[str, Any]) -> tuple[DType, ...]:
    types: list[DType] = []
    for _, kind in known.outputs:
        if kind.startswith("*"):
            types += attrs[kind[1:]]
            continue
        count, _, of = kind.rpartition("*")
        dtype = DType(int(of[1:])) if of.startswith("=") else attrs[of]
        types += [dtype] * (attrs[count] if count else 1)
    return tuple(types)
