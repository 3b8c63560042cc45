"""A FusedBatchNorm that was built for training takes the statistics that it keeps for inference.

While training it normalises by mean and variance of the batch (outputs 1 and 2), and moves two variables towards them:
``moving -= (moving - of_batch) * rate``.  The subtraction tells which variables those are.

Of a batch that is made to be one image on the spot they are no statistics of a batch, and it keeps none: tf-keras
computes LayerNormalization so, each row as one channel of the image, in inference too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from onnxpress.errors import UnsupportedModel
from onnxpress_frontends.opening.graphs.names import tensor_name
from onnxpress_frontends.opening.graphs.variables import variable_of
from onnxpress_frontends.reachability import closure, source_of

OPERATORS = frozenset(("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"))
_PASSING = frozenset(("Identity", "Squeeze", "Cast", "Switch"))


def normalises_batch(node: Any) -> bool:
    """Whether a node is a FusedBatchNorm over the statistics of the batch; that is its default."""
    return node.op in OPERATORS and (node.attr["is_training"].b if "is_training" in node.attr else True)


def settle_batch_norms(graph: Any, outputs: Iterable[str], source: str) -> None:
    """Have those of a `GraphDef` that `outputs` need use the statistics they keep, in place.

    Raises:
        UnsupportedModel: One keeps none.
    """
    nodes = {node.name: node for node in graph.node}
    for name in sorted(closure(nodes, outputs, control=False)):
        node = nodes[name]
        if not normalises_batch(node) or _is_one_image(node.input[0], nodes):
            continue
        statistics = [_kept(f"{name}:{slot}", nodes) for slot in (1, 2)]
        if None in statistics:
            raise UnsupportedModel(
                f"{source}: {node.op} {name!r} normalises by the statistics of the batch and keeps none for inference; "
                "export the graph with is_training=False"
            )
        node.input[3:5] = statistics
        node.attr["is_training"].b = False


def _is_one_image(tensor: str, nodes: Mapping[str, Any]) -> bool:
    from tensorflow import make_ndarray

    view = nodes.get(source_of(tensor))
    shape = nodes.get(source_of(view.input[1])) if view is not None and view.op == "Reshape" else None
    first = nodes.get(source_of(shape.input[0])) if shape is not None and shape.op == "Pack" else shape
    if first is None or first.op != "Const":
        return False
    return bool(make_ndarray(first.attr["value"].tensor).flat[:1].tolist() == [1])


def _kept(statistic: str, nodes: Mapping[str, Any]) -> str | None:
    """The moving value of a statistic of the batch."""
    handed_on = {statistic}
    for node in nodes.values():  # what passes a tensor on comes after it, loops aside
        if node.op in _PASSING and tensor_name(node.input[0]) in handed_on:
            handed_on |= {f"{node.name}:0", f"{node.name}:1"}
        if node.op == "Sub" and tensor_name(node.input[1]) in handed_on and variable_of(node.input[0], nodes):
            return str(node.input[0])
    return None
