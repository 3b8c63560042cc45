"""Graphs in a file (``.pb`` or ``.pbtxt``), with the values of their variables frozen in them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from onnxpress.errors import InvalidModel
from onnxpress_frontends.opening.graphs.graph_opening import open_graph
from onnxpress_frontends.opening.graphs.proto_files import TEXT, read_message
from onnxpress_frontends.opening.graphs.variable_values import NoValues
from onnxpress_frontends.opening.named_function import NamedFunction
from onnxpress_frontends.tensorflow_import import import_tensorflow

GRAPHS = (".pb", *TEXT)


def open_graphdef(path: Path, inputs: Sequence[str] | None, outputs: Sequence[str] | None) -> NamedFunction:
    """The function between `inputs` and `outputs`, called by their node names without ``:0``.

    Raises:
        InvalidModel: The file is missing, truncated or corrupt.
        InvalidOption: A name is not in the graph, or inputs or outputs must be chosen; candidates are listed.
        UnsupportedModel: The graph is not frozen, or holds operators that run code, touch files, or are unknown.
    """
    import_tensorflow()
    from tensorflow.core.framework.graph_pb2 import GraphDef

    graph = read_message(path, GraphDef, "a TensorFlow graph")
    if not graph.node:
        raise InvalidModel(f"{path} is not a TensorFlow graph, or is truncated or corrupt: it holds no node")
    return open_graph(
        graph, title=path.stem, source=str(path), inputs=inputs, outputs=outputs, values=NoValues(str(path))
    )
