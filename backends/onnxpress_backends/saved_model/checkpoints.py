"""The variables of a SavedModel read from its checkpoint, without running it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from onnxpress.errors import InvalidModel, reason

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Checkpoint:
    """The list ``variables`` of a SavedModel.

    Args:
        folder: The SavedModel.

    Raises:
        InvalidModel: The checkpoint is missing or corrupt.
    """

    def __init__(self, folder: Path) -> None:
        from onnxpress_backends.tensorflow_import import import_tensorflow

        tf = import_tensorflow()
        from tensorflow.core.protobuf import trackable_object_graph_pb2 as objects

        self._folder = folder
        try:
            self._reader = tf.train.load_checkpoint(str(folder / "variables" / "variables"))
            graph = objects.TrackableObjectGraph.FromString(self._reader.get_tensor("_CHECKPOINTABLE_OBJECT_GRAPH"))
            (listed,) = (child.node_id for child in graph.nodes[0].children if child.local_name == "variables")
            self._keys = {
                int(child.local_name): graph.nodes[child.node_id].attributes[0].checkpoint_key
                for child in graph.nodes[listed].children
            }
        except Exception as error:  # a corrupt checkpoint raises whatever its first bad byte provokes
            raise self._corrupt(error) from error

    def read(self, number: int) -> NDArray[Any]:
        """One variable.

        Raises:
            InvalidModel: It is missing, or the checkpoint is corrupt.
        """
        try:
            array: NDArray[Any] = self._reader.get_tensor(self._keys[number])
        except Exception as error:  # likewise
            raise self._corrupt(error) from error
        return array

    def _corrupt(self, error: Exception) -> InvalidModel:
        return InvalidModel(f"the checkpoint of {self._folder} cannot be read: {reason(error)[:200]}")
