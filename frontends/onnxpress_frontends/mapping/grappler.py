"""TensorFlow's own graph optimiser: inlines functions and folds constants, on a graph without big weights."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def optimize(graph: Any, ends: Iterable[str]) -> Any:
    """Optimise a `GraphDef`; the tensors `ends`, inputs and outputs alike, keep their names.

    Folding a constant through its own quantisation would lose the integers, so that is off.
    """
    import tensorflow as tf
    from tensorflow.core.protobuf.config_pb2 import ConfigProto
    from tensorflow.python.grappler.tf_optimizer import OptimizeGraph

    config = ConfigProto()
    config.graph_options.infer_shapes = True
    rewriting = config.graph_options.rewrite_options
    rewriting.optimizers[:] = ["constfold", "function", "dependency"]
    rewriting.experimental_disable_folding_quantization_emulation = True
    with tf.Graph().as_default():
        meta = tf.compat.v1.train.export_meta_graph(graph_def=graph)
    meta.collection_def["train_op"].node_list.value.extend(ends)
    return OptimizeGraph(config, meta)
