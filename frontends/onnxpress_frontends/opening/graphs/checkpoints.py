"""Checkpoints: the values of variables by key, read without a session and one at a time.

One checkpoint is several files with a common start, its prefix: ``model.meta`` (the graph), ``model.index`` and
``model.data-00000-of-00001``; the start may be empty, and the files are then called ``.meta``, ``.index`` ...  A file
called ``checkpoint`` beside them tells the latest prefix.  Before release 0.12 there was one file, called like
the prefix.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onnxpress.errors import InvalidModel
from onnxpress_frontends.foreign_errors import first_line
from onnxpress_frontends.tensorflow_import import import_tensorflow

if TYPE_CHECKING:
    from onnxpress.kinds import Array

META, INDEX, STATE = ".meta", ".index", "checkpoint"
_PART = re.compile(r"\.(meta|index|data-\d{5}-of-\d{5})$")
_LATEST = re.compile(rb'^\s*model_checkpoint_path:\s*"([^"\n]*)"', re.MULTILINE)


def find_prefix(source: Path) -> str | None:
    """The prefix of the checkpoint that a path means, with its folder; None if it means none.

    Args:
        source: One of its files, the prefix itself, or a folder with a file called ``checkpoint``.  Of the path in
            that file only the last part counts: the folder may have been moved, and nothing leads out of it.
    """
    if source.is_dir():
        state = source / STATE
        if not state.is_file():
            return f"{source}/" if (source / META).is_file() else None
        return f"{source}/{_latest(state)}"
    if source.name == STATE and source.is_file():
        return f"{source.parent}/{_latest(source)}"
    if _PART.search(source.name):
        return f"{source.parent}/{_PART.sub('', source.name)}"
    return str(source) if Path(f"{source}{META}").is_file() or Path(f"{source}{INDEX}").is_file() else None


def _latest(state: Path) -> str:
    with state.open("rb") as file:
        match = _LATEST.search(file.read(1 << 20))
    return match[1].decode("utf-8", "replace").replace("\\", "/").rpartition("/")[2] if match else ""


class Checkpoint:
    """The values in a checkpoint.

    Args:
        prefix: What its files have in common, with their folder.

    Raises:
        InvalidModel: It is missing, truncated or corrupt.
    """

    def __init__(self, prefix: str) -> None:
        import_tensorflow()
        from tensorflow.python.training.py_checkpoint_reader import NewCheckpointReader

        self._title = prefix
        if not Path(f"{prefix}{INDEX}").is_file() and not Path(prefix).is_file():
            raise InvalidModel(f"{prefix}{INDEX} does not exist; the values of the variables are in it, put it there")
        try:
            self._reader: Any = NewCheckpointReader(prefix)
            self.shapes: dict[str, tuple[int, ...]] = {
                key: tuple(shape) for key, shape in sorted(self._reader.get_variable_to_shape_map().items())
            }
        except Exception as error:  # a corrupt index surfaces as any of TensorFlow's errors, or as ValueError
            raise InvalidModel(f"checkpoint {prefix} is truncated or corrupt: {first_line(error)}") from error

    def read(self, key: str) -> Array:
        """The value of a key, whole even if it was saved in slices.

        Raises:
            InvalidModel: The data are missing, truncated or corrupt.
        """
        try:
            array: Array = self._reader.get_tensor(key)
        except Exception as error:  # see above
            raise InvalidModel(
                f"checkpoint {self._title} is truncated or corrupt: {key!r} cannot be read: {first_line(error)}"
            ) from error
        return array
