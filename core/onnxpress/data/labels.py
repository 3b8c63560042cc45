"""The right class of every sample, for accuracy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from onnxpress.data.array_files import SUFFIXES, open_arrays
from onnxpress.data.fitting import LABEL_KEYS
from onnxpress.errors import InvalidData

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def load_labels(source: str | Path | ArrayLike) -> NDArray[np.int64]:
    """Read class indices, one per sample.

    Args:
        source: An array or list of integers; a ``.npy`` file; a ``.npz`` file with one array, or one called
            ``labels``, ``label`` or ``y``; or a ``.txt`` or ``.csv`` file with one integer a line.

    Returns:
        Labels of shape ``[samples]``.

    Raises:
        InvalidData: The file cannot be read, or holds something other than one integer per sample.
    """
    origin = str(source) if isinstance(source, (str, Path)) else "labels"
    labels = _from_file(Path(source)) if isinstance(source, (str, Path)) else np.asarray(source)
    if labels.dtype.kind not in "iu" or labels.ndim == 0 or labels.size != len(labels):
        raise InvalidData(f"{origin}: labels must be one integer per sample, got {labels.dtype} {list(labels.shape)}")
    return labels.reshape(-1).astype(np.int64)


def _from_file(path: Path) -> NDArray[np.generic]:
    return _from_arrays(path) if path.suffix in SUFFIXES else _from_text(path)


def _from_arrays(path: Path) -> NDArray[np.generic]:
    arrays = open_arrays(path)
    named = [key for key in LABEL_KEYS if key in arrays] or list(arrays)
    if len(named) != 1 and not set(named) & set(LABEL_KEYS):
        raise InvalidData(f"{path}: which array holds the labels? call it 'labels'; got {', '.join(arrays) or 'none'}")
    return arrays[named[0]].read()


def _from_text(path: Path) -> NDArray[np.generic]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidData(f"cannot read labels from {path}: {error}") from error
    labels = []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                labels.append(int(line))
            except ValueError as error:
                raise InvalidData(
                    f"{path}, line {number}: a label must be one integer, got {line.strip()!r}"
                ) from error
    return np.array(labels, dtype=np.int64)
