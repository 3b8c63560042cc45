"""Where execution of a SavedModel begins: what loading it, or calling a signature, may run.

TensorFlow 2 records its functions in the object graph.  A SavedModel of TensorFlow 1 has none: loading runs the
initialisers and the restore operation of its main graph, and a signature is what its outputs depend on
(``tensorflow/python/saved_model/load_v1_in_v2.py``).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from onnxpress_frontends.opening.op_safety import CHECKPOINT_WRITERS, Roots

_INITIALISERS = ("saved_model_main_op", "legacy_init_op", "table_initializer")
_LOCAL_VARIABLES = "local_variables"


def roots_of(meta: Any) -> tuple[Roots, ...]:
    """The roots of a `MetaGraphDef`; the restore operation of TensorFlow 1 may read checkpoints, nothing else may.

    Raises:
        DecodeError: A local variable is corrupt.
    """
    if meta.HasField("object_graph_def"):
        return (Roots(functions=tuple(sorted(meta.object_graph_def.concrete_functions))),)
    restore = Roots(nodes=(meta.saver_def.restore_op_name,), forbidden=CHECKPOINT_WRITERS)
    return Roots(nodes=(*_initialisers(meta), *_signature_outputs(meta))), restore


def _initialisers(meta: Any) -> Iterator[str]:
    from tensorflow.core.framework.variable_pb2 import VariableDef

    for key in _INITIALISERS:
        if key in meta.collection_def:
            yield from meta.collection_def[key].node_list.value
    if _LOCAL_VARIABLES in meta.collection_def:
        for variable in meta.collection_def[_LOCAL_VARIABLES].bytes_list.value:
            yield VariableDef.FromString(variable).initializer_name


def _signature_outputs(meta: Any) -> Iterator[str]:
    for key in sorted(meta.signature_def):
        outputs = meta.signature_def[key].outputs
        for name in sorted(outputs):
            yield from _tensors(outputs[name])


def _tensors(info: Any) -> Iterator[str]:
    sparse = info.coo_sparse
    yield from filter(
        None, (info.name, sparse.values_tensor_name, sparse.indices_tensor_name, sparse.dense_shape_tensor_name)
    )
    for component in info.composite_tensor.components:
        yield from _tensors(component)
