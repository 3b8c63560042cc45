"""Frozen graphs (``.pb``): the part between the inputs and outputs, cut out as a function."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from onnxpress.errors import InvalidModel, UnsupportedModel
from onnxpress_frontends.foreign_errors import first_line
from onnxpress_frontends.opening.graph_ends import GraphEnds
from onnxpress_frontends.opening.named_function import NamedFunction, endpoints
from onnxpress_frontends.opening.op_safety import refuse_harmful
from onnxpress_frontends.tensorflow_import import import_tensorflow, quiet

_VARIABLES = frozenset(("Variable", "VariableV2", "VarHandleOp", "TemporaryVariable"))


def open_graphdef(path: Path, inputs: Sequence[str] | None, outputs: Sequence[str] | None) -> NamedFunction:
    """The function between `inputs` and `outputs`, called by their node names without ``:0``.

    Raises:
        InvalidModel: The file is missing, truncated or corrupt.
        InvalidOption: A name is not in the graph, or inputs or outputs must be chosen; candidates are listed.
        UnsupportedModel: The graph is not frozen, or holds operators that run code, touch files, or are unknown.
    """
    graph = _parse(path)
    refuse_harmful(graph, str(path))
    _refuse_variables(graph, path)
    _refuse_unknown(graph, path)
    ends = GraphEnds(graph, str(path))
    fetches = [ends.tensor(name) for name in outputs] if outputs else [ends.find_output()]
    feeds = [ends.tensor(name) for name in inputs] if inputs else ends.find_inputs(fetches)
    return _cut(graph, feeds, fetches, path)


def _parse(path: Path) -> Any:
    import_tensorflow()
    from google.protobuf.message import DecodeError
    from tensorflow.core.framework.graph_pb2 import GraphDef

    try:
        graph = GraphDef.FromString(path.read_bytes())
    except FileNotFoundError as error:
        raise InvalidModel(f"{path} does not exist") from error
    except OSError as error:
        raise InvalidModel(f"cannot read {path}: {error.strerror}") from error
    except DecodeError as error:
        raise InvalidModel(f"{path} is not a TensorFlow graph, or is truncated or corrupt") from error
    if not graph.node:
        raise InvalidModel(f"{path} is not a TensorFlow graph, or is truncated or corrupt: it holds no node")
    return graph


def _refuse_variables(graph: Any, path: Path) -> None:
    variables = [node.name for node in graph.node if node.op in _VARIABLES]
    if variables:
        raise UnsupportedModel(
            f"{path} is not frozen: it holds {len(variables)} variables without values, first {variables[0]!r}; "
            "freeze it, or give the SavedModel"
        )


def _refuse_unknown(graph: Any, path: Path) -> None:
    from tensorflow.python.framework import op_def_registry

    library = {function.signature.name for function in graph.library.function}
    unknown = sorted({node.op for node in graph.node if node.op not in library and not op_def_registry.get(node.op)})
    if unknown:
        raise UnsupportedModel(
            f"{path} uses operators that this TensorFlow does not know: {', '.join(map(repr, unknown))}"
        )


def _cut(graph: Any, feeds: Sequence[str], fetches: Sequence[str], path: Path) -> NamedFunction:
    tf = import_tensorflow()
    try:
        with quiet(), tf.device("/cpu:0"):
            whole = tf.compat.v1.wrap_function(lambda: tf.graph_util.import_graph_def(graph, name=""), [])
            ends = [[whole.graph.as_graph_element(name) for name in names] for names in (feeds, fetches)]
            function = whole.prune(*ends)
    except Exception as error:  # a corrupt node surfaces as ValueError, TypeError, KeyError or a TensorFlow error
        raise InvalidModel(f"{path} is not a sound TensorFlow graph: {first_line(error)}") from error
    inputs = endpoints([name.removesuffix(":0") for name in feeds], function.inputs[: len(feeds)])
    taken = [endpoint.name for endpoint in inputs]
    outputs = endpoints([name.removesuffix(":0") for name in fetches], function.outputs, taken=taken)
    return NamedFunction(title=path.stem, function=function, inputs=inputs, outputs=outputs, owner=whole)
