"""PyTorch checkpoints (``.pth``) read without PyTorch and without running pickled code: tensor name to numpy array.

`torch.save` writes one of two formats.  Since 1.6 it is a zip archive: ``*/data.pkl`` describes the tensors, the
elements of storage *k* are the member ``*/data/k``.  Before, it was four pickles in a row (magic number, protocol,
byte order, the description), a fifth with the storage keys in file order, and for each of them an int64 count and the
elements.  In both, a tensor is ``_rebuild_tensor_v2(storage, offset, size, stride, ...)`` over a persistent id
``("storage", type, key, device, count)``.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

import inert_pickle
from inert_pickle import Global, InvalidPickle

_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
_DTYPES = {
    Global("torch", "HalfStorage"): "<f2",
    Global("torch", "FloatStorage"): "<f4",
    Global("torch", "DoubleStorage"): "<f8",
    Global("torch", "IntStorage"): "<i4",
    Global("torch", "LongStorage"): "<i8",
}


@dataclass(frozen=True)
class _Storage:
    key: str
    dtype: np.dtype[Any]
    count: int


@dataclass(frozen=True)
class _Tensor:
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def view(self, elements: NDArray[Any]) -> NDArray[Any]:
        """The tensor over the elements of its storage, copied; a view that leaves the storage is refused."""
        layout = (self.offset, *self.shape, *self.strides)
        if len(self.shape) != len(self.strides) or min(layout) < 0:
            raise InvalidPickle(f"a tensor has shape {self.shape} and strides {self.strides}")
        last = self.offset + sum((size - 1) * step for size, step in zip(self.shape, self.strides, strict=True))
        if math.prod(self.shape) and last >= len(elements):
            raise InvalidPickle(f"a tensor of shape {self.shape} leaves its storage of {len(elements)} elements")
        strides = [step * elements.itemsize for step in self.strides]
        return np.lib.stride_tricks.as_strided(elements[self.offset :], self.shape, strides).copy()


def read(path: Path) -> dict[str, NDArray[Any]]:
    """Read the state dictionary of `path`, in file order.

    Raises:
        InvalidPickle: The file is damaged, is no state dictionary, or holds anything but tensors of numbers.
    """
    with path.open("rb") as file:
        legacy = not zipfile.is_zipfile(file)
        file.seek(0)
        description, elements = _read_stream(file) if legacy else _read_archive(file)
    if not isinstance(description, dict) or not all(isinstance(item, _Tensor) for item in description.values()):
        raise InvalidPickle(f"{path.name} is not a dictionary of tensors")
    return {name: tensor.view(elements(tensor.storage)) for name, tensor in description.items()}


Elements = Callable[[_Storage], NDArray[Any]]


def _read_stream(file: IO[bytes]) -> tuple[Any, Elements]:
    head = [_plain(file) for _ in range(3)]
    if head[:2] != [_MAGIC, _PROTOCOL] or head[2].get("little_endian") is not True:
        raise InvalidPickle("not a little-endian PyTorch checkpoint")
    storages: dict[str, _Storage] = {}
    description = _describe(file, storages)
    keys = _plain(file)
    if sorted(keys) != sorted(storages):
        raise InvalidPickle("the storages listed are not the storages used")
    loaded = {key: _read_storage(file, storages[key]) for key in keys}
    return description, lambda storage: loaded[storage.key]


def _read_storage(file: IO[bytes], storage: _Storage) -> NDArray[Any]:
    count = int.from_bytes(file.read(8), "little", signed=True)
    if count != storage.count:
        raise InvalidPickle(f"storage {storage.key} holds {count} elements, {storage.count} were announced")
    return _elements(file.read(count * storage.dtype.itemsize), storage)


def _read_archive(file: IO[bytes]) -> tuple[Any, Elements]:
    with zipfile.ZipFile(file) as archive:
        prefix = next((name[: -len("data.pkl")] for name in archive.namelist() if name.endswith("/data.pkl")), None)
        if prefix is None:
            raise InvalidPickle("the archive holds no data.pkl")
        storages: dict[str, _Storage] = {}
        with archive.open(prefix + "data.pkl") as pickled:
            description = _describe(pickled, storages)
        try:
            loaded = {key: _elements(archive.read(f"{prefix}data/{key}"), storages[key]) for key in storages}
        except KeyError as error:
            raise InvalidPickle(f"the archive lacks a storage: {error}") from error
    return description, lambda storage: loaded[storage.key]


def _elements(content: bytes, storage: _Storage) -> NDArray[Any]:
    if len(content) != storage.count * storage.dtype.itemsize:
        raise InvalidPickle(f"storage {storage.key} is cut short")
    return np.frombuffer(content, storage.dtype)


def _plain(file: IO[bytes]) -> Any:
    return inert_pickle.read(file, constructors={})


def _describe(file: IO[bytes], storages: dict[str, _Storage]) -> Any:
    def persistent(identity: tuple[Any, ...]) -> _Storage:
        kind, storage_type, key, _, count = identity[:5]
        if kind != "storage" or storage_type not in _DTYPES:
            raise InvalidPickle(f"the checkpoint holds a {storage_type}, which is no array of numbers")
        return storages.setdefault(key, _Storage(key, np.dtype(_DTYPES[storage_type]), count))

    constructors: Mapping[Global, Callable[..., Any]] = {
        Global("collections", "OrderedDict"): dict,
        Global("torch._utils", "_rebuild_tensor_v2"): _rebuild,
    }
    return inert_pickle.read(file, constructors=constructors, persistent=persistent)


def _rebuild(storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: Any) -> _Tensor:
    return _Tensor(storage, offset, shape, strides)
