"""A GraphDef as something to walk through: who feeds a node, who reads it, what its constants hold."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from onnxpress_backends.tensorflow.graphs.dtypes import DType

if TYPE_CHECKING:
    from numpy.typing import NDArray


class FrozenNodes:
    """The nodes of the main graph of a GraphDef; Identity between them is not seen."""

    def __init__(self, graph_def: Any) -> None:
        self.all: list[Any] = list(graph_def.node)
        self._by_name = {node.name: node for node in self.all}
        self._readers: dict[str, list[Any]] = defaultdict(list)
        for node in self.all:
            if node.op != "Identity":
                for index in range(len(node.input)):
                    source = self.source(node, index)
                    if source is not None:
                        self._readers[source.name].append(node)

    def source(self, node: Any, index: int) -> Any | None:
        """The node that gives input `index`; None where there is none."""
        while index < len(node.input):
            node, index = self._by_name.get(node.input[index].removeprefix("^").split(":")[0]), 0
            if node is None or node.op != "Identity":
                return node
        return None

    def readers(self, node: Any) -> list[Any]:
        """The nodes that read any output of `node`."""
        return self._readers[node.name]


def title(node: Any | None) -> str:
    """A node as messages name it."""
    return "nothing" if node is None else f"node {node.name!r} ({node.op})"


def constant(node: Any | None) -> NDArray[Any] | None:
    """The numbers of a Const whose elements are raw bytes; None for any other node."""
    if node is None or node.op != "Const":
        return None
    tensor = node.attr["value"].tensor
    return np.frombuffer(tensor.tensor_content, DType(tensor.dtype).numpy).reshape(
        [axis.size for axis in tensor.tensor_shape.dim]
    )
