"""Arrays in ``.npy`` and ``.npz`` files, read a few rows at a time: memory does not grow with the file.

A compressed ``.npz`` member is decompressed as a stream, where `numpy.load` would hold it whole.  Nothing is ever
unpickled.  Only Fortran-ordered arrays, whose rows are not contiguous, are read whole.
"""

from __future__ import annotations

import contextlib
import math
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from onnxpress.errors import InvalidData

if TYPE_CHECKING:
    from onnxpress.kinds import Array

SUFFIXES = (".npy", ".npz")
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
_CORRUPT = (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError)


@dataclass(frozen=True, kw_only=True)
class ArrayFile:
    """One array in a file.

    Attributes:
        path: The ``.npy`` or ``.npz`` file.
        member: File name inside a ``.npz``; None for a ``.npy``.
        shape: Sizes.
        dtype: Element type.
        fortran_order: Whether the first axis varies fastest.
    """

    path: Path
    member: str | None
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran_order: bool

    @property
    def nbytes(self) -> int:
        """Bytes of the whole array."""
        return math.prod(self.shape) * self.dtype.itemsize

    def rows(self, count: int) -> Iterator[Array]:
        """Yield the array in pieces of up to `count` rows of axis 0; a scalar whole.

        Raises:
            InvalidData: The file is truncated or corrupt.
        """
        with _reading(self.path, self.member) as stream:
            _header(stream)
            if self.fortran_order or not self.shape:
                items = _read(stream, self.shape, self.dtype, self.path)
                yield items.reshape(self.shape[::-1]).T if self.fortran_order else items
                return
            for start in range(0, self.shape[0], count):
                yield _read(stream, (min(count, self.shape[0] - start), *self.shape[1:]), self.dtype, self.path)

    def read(self) -> Array:
        """The whole array."""
        return next(self.rows(self.shape[0] if self.shape else 1), np.empty(self.shape, self.dtype))


def open_arrays(path: Path) -> dict[str, ArrayFile]:
    """The arrays of a ``.npz`` file by key, or the one of a ``.npy`` file under an empty key; only headers are read.

    Raises:
        InvalidData: The file is missing or corrupt, or holds Python objects.
    """
    if path.suffix == ".npy":
        return {"": _describe(path, None)}
    try:
        with zipfile.ZipFile(path) as archive:
            members = [name for name in archive.namelist() if name.endswith(".npy")]
    except _CORRUPT as error:
        raise InvalidData(f"cannot read {path}: {error}") from error
    return {member.removesuffix(".npy"): _describe(path, member) for member in members}


def _describe(path: Path, member: str | None) -> ArrayFile:
    with _reading(path, member) as stream:
        shape, fortran_order, dtype = _header(stream)
    if dtype.hasobject:
        key = f" {member.removesuffix('.npy')!r}" if member else ""
        raise InvalidData(f"{path}: array{key} holds Python objects, which are never loaded; save plain numbers")
    return ArrayFile(path=path, member=member, shape=shape, dtype=dtype, fortran_order=fortran_order)


@contextlib.contextmanager
def _reading(path: Path, member: str | None) -> Iterator[IO[bytes]]:
    try:
        if member is None:
            with path.open("rb") as stream:
                yield stream
        else:
            with zipfile.ZipFile(path) as archive, archive.open(member) as stream:
                yield stream
    except _CORRUPT as error:
        raise InvalidData(f"cannot read {path}: {error}") from error


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(stream)
    if version not in _HEADERS:
        raise ValueError(f"array format {version[0]}.{version[1]} is not supported")
    try:
        return _HEADERS[version](stream)
    except Exception as error:  # numpy evaluates the header, and raises whatever a corrupt one provokes
        raise ValueError("its header is corrupt") from error


def _read(stream: IO[bytes], shape: tuple[int, ...], dtype: np.dtype[Any], path: Path) -> Array:
    wanted = math.prod(shape) * dtype.itemsize
    content = stream.read(wanted)
    if len(content) < wanted:
        raise InvalidData(f"cannot read {path}: it is truncated")
    return np.frombuffer(content, dtype=dtype).reshape(shape)
