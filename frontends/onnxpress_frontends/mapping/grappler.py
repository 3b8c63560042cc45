"""TensorFlow's own graph optimiser: inlines functions and folds constants, on a graph without big weights."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

_HANDLE = "VariableV2"
"""What a handle is meanwhile: of known shape like a placeholder, but grappler makes up no values to feed it with."""


def optimize(graph: Any, ends: Iterable[str], handles: Collection[str]) -> Any:
    """Optimise a `GraphDef`; the tensors `ends`, inputs and outputs alike, keep their names.

    Folding a constant through its own quantisation would lose the integers, so that is off.

    Args:
        graph: The graph; it is spoilt.
        ends: Tensors that must stay.
        handles: Placeholders of big weights.
    """
    import tensorflow as tf
    from tensorflow.core.protobuf.config_pb2 import ConfigProto
    from tensorflow.python.grappler.tf_optimizer import OptimizeGraph

    config = ConfigProto()
    config.graph_options.infer_shapes = True
    rewriting = config.graph_options.rewrite_options
    rewriting.optimizers[:] = ["constfold", "function", "dependency"]
    rewriting.experimental_disable_folding_quantization_emulation = True
    rewriting.min_graph_nodes = -1  # else it leaves a graph of three nodes alone, one of which may call all the others
    _turn(graph, handles, _HANDLE)
    with tf.Graph().as_default():
        meta = tf.compat.v1.train.export_meta_graph(graph_def=graph)
    meta.collection_def["train_op"].node_list.value.extend([*ends, *(f"{name}:0" for name in handles)])
    optimized = OptimizeGraph(config, meta)
    _turn(optimized, handles, "Placeholder")
    return optimized


def _turn(graph: Any, names: Collection[str], op: str) -> None:
    for node in graph.node:
        if node.name in names:
            node.op = op
            for attribute in ("container", "shared_name"):
                node.attr.pop(attribute, None)
