from __future__ import annotations

from pathlib import Path

import h5py
import pytest

from onnxpress.errors import InvalidModel
from onnxpress_frontends.opening.keras.string_heaps import refuse_endless_heaps


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with h5py.File(tmp_path / "model.h5", "w") as file:
        file.attrs["names"] = ["one", "a longer name", ""] * 300
        file["data"] = list(range(1000))
    return tmp_path / "model.h5"


def test_a_sound_file_is_left_alone(path: Path) -> None:
    refuse_endless_heaps(path)


def test_a_heap_whose_free_space_has_no_size_is_refused(path: Path) -> None:
    content = bytearray(path.read_bytes())
    first = content.index(b"GCOL") + 16
    content[first : first + 16] = bytes(16)
    path.write_bytes(content)
    with pytest.raises(InvalidModel, match=r"model.h5 is corrupt: a heap of strings in it has no end"):
        refuse_endless_heaps(path)


def test_what_is_no_hdf5_file_is_not_judged(tmp_path: Path) -> None:
    for content in (b"", b"GCOL\x01\x00\x00\x00", b"GCOL" * 100):
        (tmp_path / "other").write_bytes(content)
        refuse_endless_heaps(tmp_path / "other")
