"""The source run by TensorFlow itself, under the names of the converted model: what a conversion is compared with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from onnxpress.errors import InvalidData
from onnxpress.kinds import Port
from onnxpress_frontends.finishing.dimensions import BATCH
from onnxpress_frontends.foreign_errors import first_line
from onnxpress_frontends.opening.named_function import Endpoint, NamedFunction
from onnxpress_frontends.tensorflow_import import import_tensorflow

if TYPE_CHECKING:
    from onnxpress.kinds import Array, Feeds


class TensorFlowReference:
    """A TensorFlow function as a `Runner`.

    Args:
        source: The function, with the names the user knows.
    """

    def __init__(self, source: NamedFunction) -> None:
        self._source = source
        self.inputs = tuple(_port(endpoint) for endpoint in source.inputs)
        self.outputs = tuple(_port(endpoint) for endpoint in source.outputs)

    def run(self, feeds: Feeds) -> dict[str, Array]:
        """Outputs by name for one batch of inputs by name.

        Raises:
            InvalidData: An input is missing or unknown, or TensorFlow cannot run on these feeds.
        """
        tf = import_tensorflow()
        names = [port.name for port in self.inputs]
        if sorted(feeds) != sorted(names):
            raise InvalidData(f"{self._source.title!r} takes inputs {names}, not {sorted(feeds)}")
        function = self._source.function
        try:
            passed = [tf.constant(feeds[end.name], dtype=end.tensor.dtype) for end in self._source.inputs]
            passed += map(tf.constant, self._source.weights.values())
            results = tf.raw_ops.StatefulPartitionedCall(
                args=[*passed, *function.captured_inputs],
                Tout=[tensor.dtype for tensor in function.outputs],
                f=function,
            )
        except Exception as error:  # TensorFlow raises ValueError, TypeError or an error of its own
            raise InvalidData(f"TensorFlow cannot run {self._source.title!r}: {first_line(error)}") from error
        by_tensor = {tensor.name: result for tensor, result in zip(function.outputs, results, strict=True)}
        return {end.name: np.asarray(by_tensor[end.tensor.name]) for end in self._source.outputs}


def _port(endpoint: Endpoint) -> Port:
    tensor: Any = endpoint.tensor
    shape = None
    if tensor.shape.rank is not None:
        shape = tuple(
            size if size is not None else BATCH if axis == 0 else None for axis, size in enumerate(tensor.shape)
        )
    return Port(name=endpoint.name, dtype=tensor.dtype.name, shape=shape)
