"""HDF5 files whose strings libhdf5 would read for ever.

Strings of open length lie in global heaps (HDF5 File Format Specification, section III.E).  libhdf5 walks a heap object
by object, and takes the size that free space claims for its step: where a corrupt file says 0, it never arrives.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from pathlib import Path

from onnxpress.errors import InvalidModel

_HEAP = b"GCOL\x01\x00\x00\x00"
"""Signature, version and reserved bytes; the size of the heap follows, and then its objects."""

_OBJECT = struct.Struct("<HHIQ")
"""Index (0 is free space), references, reserved, size."""


def refuse_endless_heaps(path: Path) -> None:
    """Refuse a file with a heap that cannot be walked.

    Raises:
        InvalidModel: There is one.
    """
    with path.open("rb") as file:
        if not path.stat().st_size:
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            if any(not _ends(content, start) for start in _heaps(content)):
                raise InvalidModel(f"{path} is corrupt: a heap of strings in it has no end")


def _heaps(content: mmap.mmap) -> Iterator[int]:
    start = content.find(_HEAP)
    while start >= 0:
        yield start
        start = content.find(_HEAP, start + 1)


def _ends(content: mmap.mmap, start: int) -> bool:
    (size,) = struct.unpack_from("<Q", content, start + 8) if start + 16 <= len(content) else (0,)
    place, end = start + 16, min(start + size, len(content))
    while place + _OBJECT.size <= end:
        index, _, _, length = _OBJECT.unpack_from(content, place)
        if not index and not length:
            return False
        place += _OBJECT.size + -(-length // 8) * 8 if index else length
    return True
