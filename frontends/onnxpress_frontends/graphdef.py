"""Frozen graphs (``.pb``): inputs and outputs found, or named by the user, and the part between them cut out.

Inputs are the placeholders on which the output depends.  The output is the one node that depends on a placeholder and
that nothing uses; where several qualify the user must choose, for some are usually left over from training.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from onnxpress.errors import InvalidModel, InvalidOption, UnsupportedModel
from onnxpress_frontends.foreign_errors import first_line
from onnxpress_frontends.named_function import NamedFunction, endpoints
from onnxpress_frontends.op_safety import refuse_harmful
from onnxpress_frontends.tensorflow_import import import_tensorflow, quiet

_VARIABLES = frozenset(("Variable", "VariableV2", "VarHandleOp", "TemporaryVariable"))
_PLACEHOLDERS = frozenset(("Placeholder", "PlaceholderV2"))
_NO_OUTPUTS = frozenset(("NoOp", "Assert", "Const", "Placeholder", "PlaceholderV2", "PlaceholderWithDefault"))


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
    fetches = [_tensor_name(name, graph, path) for name in outputs] if outputs else _find_outputs(graph, path)
    feeds = [_tensor_name(name, graph, path) for name in inputs] if inputs else _find_inputs(graph, fetches, path)
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
        raise UnsupportedModel(f"{path} uses operators that this TensorFlow does not know: {', '.join(unknown)}")


def _tensor_name(name: str, graph: Any, path: Path) -> str:
    node, _, slot = name.partition(":")
    known = [item.name for item in graph.node]
    if node not in known or not (slot or "0").isdigit():
        near = difflib.get_close_matches(node, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else "see the node names with any graph viewer"
        raise InvalidOption(f"{path} has no node {name!r}; {hint}")
    return f"{node}:{slot or 0}"


def _sources(node: Any) -> list[str]:
    return [name.partition(":")[0] for name in node.input if not name.startswith("^")]


def _find_inputs(graph: Any, fetches: Iterable[str], path: Path) -> list[str]:
    nodes = {node.name: node for node in graph.node}
    needed = _closure([fetch.partition(":")[0] for fetch in fetches], lambda name: _sources(nodes[name]))
    found = [node.name for node in graph.node if node.name in needed and node.op in _PLACEHOLDERS]
    if found:
        return [f"{name}:0" for name in found]
    candidates = [node.name for node in graph.node if node.op == "PlaceholderWithDefault" or "Iterator" in node.op]
    raise InvalidOption(
        f"{path}: the outputs depend on no placeholder; name the inputs with option 'inputs'"
        f" (candidates: {_listed(candidates or _first_compute_inputs(graph))})"
    )


def _find_outputs(graph: Any, path: Path) -> list[str]:
    used = {name for node in graph.node for name in _sources(node)}
    users: dict[str, list[str]] = {}
    for node in graph.node:
        for name in _sources(node):
            users.setdefault(name, []).append(node.name)
    fed = _closure([node.name for node in graph.node if node.op in _PLACEHOLDERS], lambda name: users.get(name, []))
    leaves = [node for node in graph.node if node.name not in used and node.op not in _NO_OUTPUTS]
    candidates = [node.name for node in leaves if node.name in fed] or [node.name for node in leaves]
    if len(candidates) != 1:
        raise InvalidOption(
            f"{path}: {len(candidates)} nodes could be the output; name the outputs with option 'outputs'"
            f" (candidates: {_listed(candidates)})"
        )
    return [f"{candidates[0]}:0"]


def _first_compute_inputs(graph: Any) -> list[str]:
    constant = {node.name for node in graph.node if node.op == "Const"}
    return [node.name for node in graph.node if node.name not in constant and constant.issuperset(_sources(node))]


def _closure(start: Iterable[str], following: Callable[[str], Iterable[str]]) -> set[str]:
    pending, seen = list(start), set[str]()
    while pending:
        name = pending.pop()
        if name not in seen:
            seen.add(name)
            pending += following(name)
    return seen


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:8]) or "none"
    return f"{shown} and {len(names) - 8} more" if len(names) > 8 else shown


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
