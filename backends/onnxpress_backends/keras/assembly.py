"""A functional model under construction: what each TensorFlow tensor has become in Keras."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from onnxpress.errors import UnsupportedModel
from onnxpress_backends.tensorflow.graphs.graph import Graph, Node, Tensor

Builder = Callable[["Assembly", Node], Any]
"""Makes the Keras tensor of a node, or a tuple of them."""


@dataclass(eq=False)
class Assembly:
    """Layers and operations of Keras, in the order of the nodes.

    Attributes:
        graph: The graph that is followed.
        made: The Keras tensor of each TensorFlow tensor.
        users: The nodes that read each tensor.
        names: Layer names that are taken.
    """

    graph: Graph
    made: dict[Tensor, Any] = field(default_factory=dict)
    users: dict[Tensor, list[Node]] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        for node in self.graph.nodes:
            for tensor in node.inputs:
                self.users.setdefault(tensor, []).append(node)

    def follow(self, builders: Mapping[str, Builder]) -> None:
        """Make every node.

        Args:
            builders: What makes each operator of TensorFlow.

        Raises:
            UnsupportedModel: Keras has no layer or operation for a node; the ONNX node is named.
        """
        for node in self.graph.nodes:
            if Tensor(node) in self.made or node.op == "Const":
                continue
            if node.op not in builders:
                self.refuse(node, f"Keras has no layer for it (TensorFlow's {node.op})")
            results = builders[node.op](self, node)
            for index, result in enumerate(results if isinstance(results, tuple) else (results,)):
                self.made.setdefault(Tensor(node, index), result)

    @property
    def inputs(self) -> list[Tensor]:
        """The inputs, in order."""
        return [Tensor(node) for node in self.graph.nodes if node.op == "Placeholder"]

    def of(self, tensor: Tensor) -> Any:
        """A Keras tensor, or the array of a constant."""
        array = self.array(tensor)
        return self.made[tensor] if array is None else array

    def array(self, tensor: Tensor) -> Any:
        """The array of a constant; None for anything else."""
        if tensor.node.op != "Const":
            return None
        return tensor.node.attrs["value"] if tensor.node.weight is None else tensor.node.weight.array()

    def known(self, node: Node, index: int) -> Any:
        """The array that a node reads, as a list.

        Raises:
            UnsupportedModel: It is computed.
        """
        array = self.array(node.inputs[index])
        if array is None:
            self.refuse(node, f"Keras needs input {index} of TensorFlow's {node.op} to be a constant")
        return array.tolist()

    def follower(self, node: Node, *ops: str) -> Node | None:
        """The only node that reads `node`, when it is one of `ops` and what else it reads is constant."""
        users = self.users.get(Tensor(node), [])
        if len(users) != 1 or users[0].op not in ops or Tensor(node) in self.graph.outputs.values():
            return None
        others = [tensor for tensor in users[0].inputs if tensor.node is not node]
        return users[0] if others and all(tensor.node.op == "Const" for tensor in others) else None

    def layer(self, kind: str, node: Node, inputs: Any, *, weights: Sequence[Any] = (), **config: Any) -> Any:
        """A layer called like the node, applied.

        Args:
            kind: Its class in `keras.layers`.
            node: The node that gives what it gives.
            inputs: Keras tensor, or a list of them.
            weights: Arrays in the order of the layer's own.
            **config: Its arguments.
        """
        import keras

        made = getattr(keras.layers, kind)(name=self.name(node.name), **config)
        result = made(inputs)
        if len(weights):
            made.set_weights(list(weights))
        return result

    def name(self, wanted: str) -> str:
        """A layer name that is not taken: Keras allows no slash."""
        base = re.sub(r"[/\\>]", "_", wanted)
        name, count = base, 0
        while name in self.names:
            count += 1
            name = f"{base}_{count}"
        self.names.add(name)
        return name

    def refuse(self, node: Node, reason: str) -> NoReturn:
        """Say why a node cannot go to Keras.

        Raises:
            UnsupportedModel: Always.
        """
        raise UnsupportedModel(f"{node.origin or f'node {node.name!r}'}: {reason}; write a SavedModel instead")
