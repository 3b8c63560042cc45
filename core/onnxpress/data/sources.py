"""Where samples come from on disk: array files, folders of them, folders of images."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from onnxpress.data import array_files
from onnxpress.data.array_files import ArrayFile, open_arrays
from onnxpress.data.fitting import Chunk
from onnxpress.data.images import ImageReader, image_files
from onnxpress.data.preprocessing import PRESETS, Preprocessing
from onnxpress.errors import InvalidData

if TYPE_CHECKING:
    from onnxpress.kinds import Port

_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Source:
    """Samples that can be read again and again.

    Attributes:
        chunks: Reads them from the start.
        count: How many samples there are; None when that is unknown without reading.
        resized: Whether the `Preprocessing`'s resize and crop are done.
    """

    chunks: Callable[[], Iterable[Chunk]]
    count: int | None = None
    resized: bool = False


def open_path(path: Path, inputs: Sequence[Port], preprocessing: Preprocessing | None) -> Source:
    """The samples in a file or folder.

    Raises:
        InvalidData: There is nothing to read at `path`, or images come without preprocessing.
    """
    if path.is_dir():
        return _open_folder(path, inputs, preprocessing)
    if not path.exists():
        raise InvalidData(f"no data at {path}: give a .npz or .npy file, a folder, or package.module:function")
    if path.suffix not in array_files.SUFFIXES:
        raise InvalidData(f"{path} is no data file: give .npz or .npy, a folder of .npy or images, or module:function")
    arrays = open_arrays(path)
    names = [port.name for port in inputs if port.name in arrays] or list(arrays)
    count = arrays[names[0]].shape[0] if names and arrays[names[0]].shape else None
    return Source(chunks=lambda: _blocks(arrays, str(path)), count=count)


def _open_folder(folder: Path, inputs: Sequence[Port], preprocessing: Preprocessing | None) -> Source:
    for suffix in array_files.SUFFIXES:
        if paths := sorted(path for path in folder.glob(f"*{suffix}") if not path.name.startswith(".")):
            return Source(chunks=lambda: _files(paths))
    columns = {port.name: sorted((folder / port.name).glob("*.npy")) for port in inputs}
    if all(columns.values()):
        counts = {name: len(paths) for name, paths in columns.items()}
        if len(set(counts.values())) > 1:
            raise InvalidData(f"{folder}: the inputs have different numbers of files: {counts}")
        return Source(chunks=lambda: _rows(columns))
    images = image_files(folder)
    if not images:
        raise InvalidData(f"{folder} holds no .npy, .npz or image files, nor a folder of .npy for each input")
    if preprocessing is None:
        raise InvalidData(f"images in {folder} need a preprocessing spec: one of {', '.join(PRESETS)}, or your own")
    if len(inputs) != 1:
        raise InvalidData(f"a folder of images feeds one input; the model has {len(inputs)}: give .npz instead")
    reader = ImageReader(inputs[0], preprocessing)
    return Source(chunks=lambda: reader.chunks(images), count=len(images), resized=True)


def _files(paths: Sequence[Path]) -> Iterator[Chunk]:
    for path in paths:
        yield from _blocks(open_arrays(path), str(path))


def _rows(columns: Mapping[str, Sequence[Path]]) -> Iterator[Chunk]:
    for paths in zip(*columns.values(), strict=True):
        arrays = {name: open_arrays(path)[""].read() for name, path in zip(columns, paths, strict=True)}
        yield Chunk(arrays, ", ".join(map(str, paths)))


def _blocks(arrays: Mapping[str, ArrayFile], origin: str) -> Iterator[Chunk]:
    lengths = {array.shape[:1] for array in arrays.values()}
    if len(lengths) != 1 or lengths == {()}:
        yield Chunk({name: array.read() for name, array in arrays.items()}, origin)
        return
    length = max(1, *lengths.pop())
    count = max(1, _BLOCK_BYTES * length // max(1, sum(array.nbytes for array in arrays.values())))
    for blocks in zip(*(array.rows(count) for array in arrays.values()), strict=True):
        yield Chunk(dict(zip(arrays, blocks, strict=True)), origin)
