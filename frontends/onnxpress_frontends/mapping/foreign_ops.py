"""TensorFlow operators that have no ONNX form, found in a frozen graph before tf2onnx copies them.

Strings, lookup tables, sparse and ragged tensors, datasets: whatever tf2onnx has neither a handler for nor rewrites as
part of a pattern.  Lookup tables have a handler, but their contents are no part of a graph.  One message tells all of
them, and the cut that avoids them where the rest of the graph is worth converting.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from onnxpress.errors import UnsupportedModel
from onnxpress_frontends.mapping.cut_suggestions import suggest_cuts
from onnxpress_frontends.mapping.freezing import Frozen
from onnxpress_frontends.mapping.inexact_mappings import is_inexact
from onnxpress_frontends.mapping.op_handlers import HANDLERS
from onnxpress_frontends.opening.graphs.function_library import called_functions
from onnxpress_frontends.opening.named_function import NamedFunction

_REWRITTEN = """
    Switch Merge Enter Exit LoopCond NextIteration
    TensorArrayV3 TensorArrayReadV3 TensorArrayWriteV3 TensorArrayScatterV3 TensorArrayGatherV3 TensorArraySizeV3
    GRUBlockCell ListDiff MatrixSetDiag ResourceGather
"""
REWRITTEN = frozenset(_REWRITTEN.split())
"""Operators without a handler that tf2onnx replaces as parts of a pattern."""

_CALLS = frozenset(("PartitionedCall", "StatefulPartitionedCall"))
"""Judged by what they call."""

_TABLES = frozenset(("HashTableV2", "LookupTableFindV2", "LookupTableSizeV2"))


@dataclass(frozen=True, kw_only=True)
class ForeignOps:
    """What has no ONNX form in a graph.

    Attributes:
        places: Operator to the names of its nodes, those in functions included.
        nodes: Nodes of the main graph that are such, or that call a function with such.
    """

    places: dict[str, list[str]]
    nodes: frozenset[str]


def refuse_foreign(source: NamedFunction, frozen: Frozen, *, opset: int) -> None:
    """Refuse a graph with operators that have no ONNX form.

    Args:
        source: The function, for the names that the user knows.
        frozen: Its graph.
        opset: The version of ONNX that it is to be written in.

    Raises:
        UnsupportedModel: There are some; the message gives each operator's name, count and first node, and what to do.
    """
    foreign = find_foreign(frozen.graph, opset=opset)
    if not foreign.places:
        return
    found = (f"{op} ({len(names)}, first {names[0]!r})" for op, names in sorted(foreign.places.items()))
    cuts = suggest_cuts(source, frozen, foreign.nodes)
    advice = f"convert {', or '.join(cuts)}" if cuts else "replace these layers by ones built of ordinary ops"
    raise UnsupportedModel(f"the model uses TensorFlow ops that have no ONNX form: {', '.join(found)}; {advice}")


def find_foreign(graph: Any, *, opset: int) -> ForeignOps:
    """The operators of a `GraphDef` that have no ONNX form."""
    known = _handled(opset) | {function.signature.name for function in graph.library.function}
    found = {name: _foreign_in(nodes, known) for name, nodes in _scopes(graph).items()}
    places: dict[str, list[str]] = {}
    for node in (node for nodes in found.values() for node in nodes):
        places.setdefault(node.op, []).append(node.name)
    tainted = {name for name, nodes in found.items() if nodes}
    calling = (node.name for node in graph.node if tainted and _reaches(graph, node, tainted))
    return ForeignOps(places=places, nodes=frozenset((*(node.name for node in found[None]), *calling)))


def _reaches(graph: Any, node: Any, functions: Collection[str | None]) -> bool:
    return any(function.signature.name in functions for function in called_functions(graph, [node]))


def _scopes(graph: Any) -> dict[str | None, Sequence[Any]]:
    """The nodes of the main graph, under None, and those of every function that it calls, by its name."""
    called = called_functions(graph, graph.node)
    return {None: graph.node, **{function.signature.name: function.node_def for function in called}}


def _foreign_in(nodes: Sequence[Any], known: Collection[str]) -> list[Any]:
    by_name = {node.name: node for node in nodes}
    return [node for node in nodes if node.op not in known or is_inexact(node, by_name)]


def _handled(opset: int) -> set[str]:
    import tf2onnx.tfonnx  # registers the handlers

    mapped = tf2onnx.handler.tf_op.create_mapping(opset, [])
    return (set(mapped) - _TABLES) | HANDLERS.keys() | REWRITTEN | _CALLS
