"""Names in a converted graph: the user's at the edges, short and reproducible ones inside.

tf2onnx calls inputs ``image:0`` and inner values ``StatefulPartitionedCall/net/conv/convolution__31:0``, with numbers
from a counter.  Here every name loses the counter, the ``:0`` and the scopes that all nodes share; a name that is then
taken twice gets ``_1``, ``_2`` ... in graph order.  Weights come in the order of their use, for tf2onnx's own order
varies from one process to the next.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Sequence

import onnx_ir as ir

from onnxpress_frontends.named_function import Endpoint, NamedFunction

_COUNTER = re.compile(r"(_graph_outputs_Identity)?__\d+(?=$|[/:_])|:0$")


def rename(model: ir.Model, source: NamedFunction) -> None:
    """Give inputs and outputs of a graph from tf2onnx the names of `source`, and every inner name a stable form."""
    graph = model.graph
    graph.name = source.title
    graph.doc_string = None
    names = _Names(_shared_scopes(graph), [endpoint.name for endpoint in (*source.inputs, *source.outputs)])
    given = {id(value) for value in (*graph.inputs, *graph.outputs)}
    for each in model.graphs():
        weights = _in_order_of_use(each)
        each.initializers.clear()
        for value in (*weights, *each.inputs):
            if id(value) not in given:
                value.name = names.fresh(value.name or "value")
        for value in weights:
            each.register_initializer(value)
        for node in each:
            node.name = names.fresh(node.name or node.op_type, kind="node")
            for value in node.outputs:
                if value.name and id(value) not in given:
                    value.name = names.fresh(value.name)
    _name_ends(graph.inputs, source.inputs)
    _name_ends(graph.outputs, source.outputs)


def _in_order_of_use(graph: ir.Graph) -> list[ir.Value]:
    weights = dict.fromkeys(graph.initializers.values())
    used = (value for node in graph.all_nodes() for value in node.inputs if value in weights)
    return [value for value in dict.fromkeys((*used, *weights)) if value is not None]


def _name_ends(values: Sequence[ir.Value], ends: Iterable[Endpoint]) -> None:
    names = {end.tensor.name: end.name for end in ends}
    for value in values:
        value.name = names[value.name or ""]


def _shared_scopes(graph: ir.Graph) -> str:
    """The leading scopes that all node names with a scope share, with the last ``/``."""
    scopes = [name.rpartition("/")[0] for node in graph if "/" in (name := node.name or "")]
    return f"{posixpath.commonpath(scopes)}/" if scopes and not any(name.startswith("/") for name in scopes) else ""


class _Names:
    """Hands out each name once; nodes and values have spaces of their own."""

    def __init__(self, shared: str, reserved: Iterable[str]) -> None:
        self._shared = shared
        self._taken = {"value": dict.fromkeys(reserved, 1), "node": dict[str, int]()}

    def fresh(self, name: str, *, kind: str = "value") -> str:
        taken = self._taken[kind]
        stem = _COUNTER.sub("", name.removeprefix(self._shared)) or kind
        unique = stem
        while unique in taken:
            unique = f"{stem}_{taken[stem]}"
            taken[stem] += 1
        taken[unique] = 1
        return unique
