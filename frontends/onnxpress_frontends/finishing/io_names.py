"""Names in a converted graph: the user's at the edges, short and reproducible ones inside.

tf2onnx calls inputs ``image:0`` and inner values ``StatefulPartitionedCall/net/conv/convolution__31:0``, with numbers
from a counter.  Here every name loses the counter, the ``:0`` and the scopes that all nodes share; a name that is then
taken twice gets ``_1``, ``_2`` ... in graph order.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Sequence

import onnx_ir as ir

from onnxpress_frontends.finishing.graph_order import put_in_order, weights_in_order
from onnxpress_frontends.opening.named_function import Endpoint, NamedFunction

_COUNTER = re.compile(r"(_graph_outputs_Identity)?__\d+(?=$|[/:_])|:0$")


def rename(model: ir.Model, source: NamedFunction) -> None:
    """Give inputs and outputs of a graph from tf2onnx the names of `source`, and every inner name a stable form."""
    graph = model.graph
    graph.name = source.title
    graph.doc_string = None
    names = _Names(_shared_scopes(graph), [endpoint.name for endpoint in (*source.inputs, *source.outputs)])
    given = {id(value) for value in (*graph.inputs, *graph.outputs)}
    for each in model.graphs():
        put_in_order(each)
        for value in each.inputs:
            if id(value) not in given:
                value.name = names.fresh(value.name or "value")
        for node in each:
            node.name = names.of_node(node)
            for value in node.outputs:
                if value.name and id(value) not in given:
                    value.name = names.fresh(node.name)
    for each in model.graphs():
        weights = weights_in_order(each)
        each.initializers.clear()
        for value, name in weights:
            if id(value) not in given:
                value.name = names.fresh(name)
            each.register_initializer(value)
    _name_ends(graph.inputs, source.inputs)
    _name_ends(graph.outputs, source.outputs)


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
        self._values = dict.fromkeys(reserved, 1)
        self._nodes: dict[str, int] = {}

    def of_node(self, node: ir.Node) -> str:
        """A name for `node`; one that tf2onnx put beside a TensorFlow node also tells its operator."""
        name = (node.name or node.op_type).removeprefix(self._shared)
        stem = _COUNTER.sub("", name) or node.op_type
        return _unique(stem if stem == name or node.op_type in stem else f"{stem}/{node.op_type}", self._nodes)

    def fresh(self, name: str) -> str:
        """A name for a value."""
        return _unique(_COUNTER.sub("", name.removeprefix(self._shared)) or "value", self._values)


def _unique(name: str, taken: dict[str, int]) -> str:
    unique = name
    while unique in taken:
        unique = f"{name}_{taken[name]}"
        taken[name] += 1
    taken[unique] = 1
    return unique
