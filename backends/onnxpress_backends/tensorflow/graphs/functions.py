"""Functions of a TensorFlow graph: the branches of an If, the condition and the body of a While.

A function sees nothing but its arguments.  A tensor of the graph around that it uses is *captured*: it becomes one more
argument, which whoever calls the function brings.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from onnxpress_backends.tensorflow.graphs.dtypes import DType
from onnxpress_backends.tensorflow.graphs.graph import Graph, Tensor
from onnxpress_backends.tensorflow.layout.layouts import Shape


@dataclass(eq=False, kw_only=True)
class Function(Graph):
    """A graph that nodes call.

    Attributes:
        name: What it is called.
        title: Its name in the library: its name and a digest of what it does, for TensorFlow 2 has one library for all
            graphs of a process.  Settled when the graph is written.
        outer: The graph it stands in.
        inputs: The arguments that are its own; nodes of the operator Placeholder.
        captured: For each tensor of `outer` that it uses: the argument that brings it.
        results: What it gives, in order.
    """

    name: str
    outer: Graph
    inputs: list[Tensor] = field(default_factory=list)
    captured: dict[Tensor, Tensor] = field(default_factory=dict)
    results: list[Tensor] = field(default_factory=list)
    title: str = ""

    @classmethod
    def within(cls, outer: Graph, name: str) -> Function:
        """A new function, called by a node of `outer`; it stands in the library of the whole graph."""
        library = outer.root.functions
        taken = {function.name for function in library}
        legal = free = re.sub(r"\W", "_", name, flags=re.ASCII).lstrip("_") or "function"
        count = 0
        while free in taken:
            count += 1
            free = f"{legal}_{count}"
        function = cls(name=free, outer=outer)
        library.append(function)
        return function

    @property
    def root(self) -> Graph:
        """The graph that the function is part of, however deep."""
        return self.outer.root

    def unique(self, name: str) -> str:
        """A legal node name that is not taken anywhere: readers of graphs tend to put functions into one another."""
        return self.root.unique(name)

    @property
    def arguments(self) -> list[Tensor]:
        """All arguments: its own, then the captured ones."""
        return [*self.inputs, *self.captured.values()]

    def argument(self, dtype: DType, name: str, shape: Shape | None = None) -> Tensor:
        """One more argument of its own.

        Args:
            dtype: Its type.
            name: What to call it; made legal and unique.
            shape: Its shape, None for unknown sizes; None: the rank is unknown.
        """
        tensor = self._placeholder(dtype, name, shape)
        self.inputs.append(tensor)
        return tensor

    def capture(self, tensor: Tensor, shape: Shape | None = None) -> Tensor:
        """A tensor of the graph around, as an argument."""
        if tensor not in self.captured:
            self.captured[tensor] = self._placeholder(tensor.dtype, tensor.node.name, shape)
        return self.captured[tensor]

    def _placeholder(self, dtype: DType, name: str, shape: Shape | None) -> Tensor:
        legal = re.sub(r"[^a-z0-9_]", "_", name.lower()).lstrip("_0123456789") or "argument"
        return Tensor(self.add("Placeholder", name=legal, dtype=dtype, shape=shape))

    def give(self, results: Sequence[Tensor]) -> None:
        """Say what the function gives; nodes that nothing needs are left out."""
        self.results = list(results)
        self._drop_unused(self.results)


def share(*functions: Function) -> list[Tensor]:
    """Let functions of one node take the same captured tensors, in the same order.

    Returns:
        The captured tensors, which the node takes after the arguments that are the functions' own.
    """
    union = list(dict.fromkeys(tensor for function in functions for tensor in function.captured))
    for function in functions:
        function.captured = {tensor: function.capture(tensor) for tensor in union}
    return union
