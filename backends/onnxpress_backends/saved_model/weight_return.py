"""The way back: weights that were tuned in a SavedModel, copied into the ONNX model it was written from.

Nothing is converted and nothing is run: the checkpoint is read, and each initialiser takes the value of its variable,
arranged as ONNX has it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx_ir as ir

from onnxpress.errors import InvalidModel, reason
from onnxpress_backends.saved_model import weight_map
from onnxpress_backends.saved_model.weight_map import Held

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Read = dict[int, NDArray[Any]]


def return_weights(model: ir.Model, folder: str | Path) -> ir.Model:
    """`model` with the weights of a SavedModel.

    Args:
        model: The model that the SavedModel was written from, or one whose initialisers have the same names and shapes;
            it is not changed.
        folder: What backend ``savedmodel`` wrote, trained and saved again with ``tf.saved_model.save``.

    Returns:
        A copy of the model.  Its structure is the same.

    Raises:
        InvalidModel: The folder is no such SavedModel, is corrupt, or belongs to another model.
    """
    folder = Path(folder)
    found = weight_map.read(folder / "assets" / weight_map.NAME)
    values = _variables(folder)
    returned = model.clone()
    for held in found.weights:
        _return(returned, held, values)
    return returned


def _return(model: ir.Model, held: Held, values: Read) -> None:
    value = model.graph.initializers.get(held.initializer)
    if value is None or value.const_value is None:
        raise InvalidModel(
            f"the model has no initialiser {held.initializer!r}, which the SavedModel was written with; "
            "give the model that it was written from"
        )
    shape, dtype = value.const_value.shape.numpy(), value.const_value.dtype
    tuned = values.get(held.variable)
    if tuned is None or tuned.shape != held.arrangement.shape or tuned.size != np.prod(shape, dtype=np.int64):
        there = "absent" if tuned is None else f"of shape {list(tuned.shape)}"
        raise InvalidModel(
            f"initialiser {held.initializer!r} of the model is of shape {list(shape)}, but its variable is {there}; "
            "give the model that the SavedModel was written from"
        )
    array = held.arrangement.undo(tuned).reshape(shape)
    value.const_value = ir.Tensor(np.ascontiguousarray(array.astype(dtype.numpy())), dtype=dtype, name=value.name)


def _variables(folder: Path) -> Read:
    """The list ``variables`` of a SavedModel, from its checkpoint."""
    from onnxpress_backends.tensorflow_import import import_tensorflow

    tf = import_tensorflow()
    from tensorflow.core.protobuf import trackable_object_graph_pb2

    try:
        reader = tf.train.load_checkpoint(str(folder / "variables" / "variables"))
        graph = trackable_object_graph_pb2.TrackableObjectGraph.FromString(
            reader.get_tensor("_CHECKPOINTABLE_OBJECT_GRAPH")
        )
        listed = graph.nodes[_child(graph.nodes[0], "variables")]
        return {
            int(child.local_name): reader.get_tensor(graph.nodes[child.node_id].attributes[0].checkpoint_key)
            for child in listed.children
            if child.local_name.isdigit()
        }
    except Exception as error:  # a corrupt checkpoint raises whatever its first bad byte provokes
        raise InvalidModel(f"the checkpoint of {folder} cannot be read: {reason(error)[:200]}") from error


def _child(node: Any, name: str) -> int:
    return next(int(child.node_id) for child in node.children if child.local_name == name)
