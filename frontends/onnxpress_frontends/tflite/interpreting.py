"""The file run by TFLite's own interpreter, under the names of the converted model: what a conversion is compared with.

Its plain kernels run, without a delegate: they are what the format means by its operators.  `ai_edge_litert` is taken
where it is installed, TensorFlow's own interpreter else.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from onnxpress.errors import InvalidData, UnsupportedModel
from onnxpress.kinds import Port
from onnxpress_frontends.finishing.dimensions import BATCH
from onnxpress_frontends.foreign_errors import first_line
from onnxpress_frontends.tensorflow_import import import_tensorflow, quiet

if TYPE_CHECKING:
    from onnxpress.kinds import Array, Feeds
    from onnxpress_frontends.tflite.contents import Tensor
    from onnxpress_frontends.tflite.signatures import Chosen


class InterpretedFile:
    """A TFLite file as a `Runner`.

    Args:
        path: The file.
        chosen: The graph to run, from the file as it was read and checked.

    Raises:
        UnsupportedModel: The interpreter refuses the file.
    """

    def __init__(self, path: Path, chosen: Chosen) -> None:
        tensors = chosen.graph.tensors
        self._path = path
        self._chosen = chosen
        self.inputs = tuple(_port(name, tensors[index]) for index, name in chosen.inputs)
        self.outputs = tuple(_port(name, tensors[index]) for index, name in chosen.outputs)
        try:
            with quiet():
                self._interpreter = _interpreter(path)
        except Exception as error:  # ValueError, RuntimeError, NotImplementedError
            raise UnsupportedModel(f"{path} cannot be run by TFLite: {first_line(error)}") from error

    def run(self, feeds: Feeds) -> dict[str, Array]:
        """Outputs by name for one batch of inputs by name.

        Raises:
            InvalidData: An input is missing or unknown, or the interpreter cannot run on these feeds.
        """
        names = [port.name for port in self.inputs]
        if sorted(feeds) != sorted(names):
            raise InvalidData(f"{self._path} takes inputs {names}, not {sorted(feeds)}")
        for port in self.inputs:
            if not _fits(feeds[port.name].shape, port.shape or ()):
                sizes = list(feeds[port.name].shape)
                raise InvalidData(
                    f"{self._path}: input {port.name!r} has the shape {list(port.shape or ())}, not {sizes}"
                )
        try:
            return self._run(feeds)
        except (ValueError, RuntimeError) as error:
            raise InvalidData(f"TFLite cannot run {self._path}: {first_line(error)}") from error

    def _run(self, feeds: Feeds) -> dict[str, Array]:
        runner = self._interpreter
        if self._chosen.key is not None:
            results = runner.get_signature_runner(self._chosen.key)(**feeds)
            return {port.name: results[port.name] for port in self.outputs}
        for index, name in self._chosen.inputs:
            runner.resize_tensor_input(index, feeds[name].shape)
        runner.allocate_tensors()
        for index, name in self._chosen.inputs:
            runner.set_tensor(index, feeds[name])
        runner.invoke()
        return {name: np.array(runner.get_tensor(index)) for index, name in self._chosen.outputs}


def _fits(given: Sequence[int], wanted: Sequence[int | str | None]) -> bool:
    """Whether every size is the one that is wanted; the kernels read on behind an array that is too short."""
    pairs = zip(given, wanted, strict=False)
    return len(given) == len(wanted) and all(size == want for size, want in pairs if isinstance(want, int))


def _interpreter(path: Path) -> Any:
    try:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType
    except ImportError:
        lite = import_tensorflow().lite
        Interpreter, OpResolverType = lite.Interpreter, lite.experimental.OpResolverType  # noqa: N806
    return Interpreter(
        model_path=str(path), experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    )


def _port(name: str, tensor: Tensor) -> Port:
    sizes = (BATCH if size is None and axis == 0 else size for axis, size in enumerate(tensor.shape))
    return Port(name=name, dtype=tensor.dtype, shape=tuple(sizes))
