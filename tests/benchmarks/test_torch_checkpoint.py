from __future__ import annotations

import io
import pickle
import struct
import sys
import types
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import inert_pickle
import torch_checkpoint
from inert_pickle import InvalidPickle


class FloatStorage:
    """Stands in for torch's class of that name; only its name reaches the file."""


def _rebuild_tensor_v2(*_: Any) -> None:
    """Stands in for torch's function of that name; only its name reaches the file."""


class _Storage:
    def __init__(self, key: str, elements: np.ndarray) -> None:
        self.key, self.elements = key, elements


class _Tensor:
    """Pickles the way a torch tensor does."""

    def __init__(self, storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> None:
        self.arguments = storage, offset, shape, strides, False, OrderedDict()

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild_tensor_v2, self.arguments


class _Pickler(pickle.Pickler):
    def persistent_id(self, item: object) -> Any:
        if isinstance(item, _Storage):
            return "storage", FloatStorage, item.key, "cpu", len(item.elements)
        return None


@pytest.fixture(autouse=True)
def _torch_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pickling looks the names up where torch keeps them; reading never does."""
    for module, item in (("torch", FloatStorage), ("torch._utils", _rebuild_tensor_v2)):
        monkeypatch.setattr(item, "__module__", module)
        fake = types.ModuleType(module)
        setattr(fake, item.__name__, item)
        monkeypatch.setitem(sys.modules, module, fake)


def _pickled(value: object) -> bytes:
    buffer = io.BytesIO()
    _Pickler(buffer, protocol=2).dump(value)
    return buffer.getvalue()


def _state() -> tuple[dict[str, _Tensor], _Storage]:
    storage = _Storage("7", np.arange(12, dtype="<f4"))
    return OrderedDict(whole=_Tensor(storage, 0, (3, 4), (4, 1)), part=_Tensor(storage, 1, (4, 2), (1, 4))), storage


def _write_legacy(path: Path, state: object, storage: _Storage) -> None:
    head = [0x1950A86A20F9469CFC6C, 1001, {"protocol_version": 1001, "little_endian": True}]
    pickles = b"".join(_pickled(part) for part in [*head, state, [storage.key]])
    path.write_bytes(pickles + struct.pack("<q", len(storage.elements)) + storage.elements.tobytes())


def _write_zip(path: Path, state: object, storage: _Storage) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", _pickled(state))
        archive.writestr(f"archive/data/{storage.key}", storage.elements.tobytes())


WRITERS = pytest.mark.parametrize("write", [_write_legacy, _write_zip])


@WRITERS
def test_reads_tensors_and_views(tmp_path: Path, write: Any) -> None:
    path = tmp_path / "weights.pth"
    write(path, *_state())
    weights = torch_checkpoint.read(path)
    whole = np.arange(12, dtype=np.float32).reshape(3, 4)
    assert list(weights) == ["whole", "part"]
    np.testing.assert_array_equal(weights["whole"], whole)
    np.testing.assert_array_equal(weights["part"], [[1, 5], [2, 6], [3, 7], [4, 8]])


@WRITERS
def test_refuses_a_view_that_leaves_its_storage(tmp_path: Path, write: Any) -> None:
    path = tmp_path / "weights.pth"
    storage = _Storage("7", np.arange(12, dtype="<f4"))
    write(path, {"w": _Tensor(storage, 1, (3, 4), (4, 1))}, storage)
    with pytest.raises(InvalidPickle, match=r"a tensor of shape \(3, 4\) leaves its storage of 12 elements"):
        torch_checkpoint.read(path)


@WRITERS
def test_refuses_to_call_anything_else(tmp_path: Path, write: Any) -> None:
    class Attack:
        def __reduce__(self) -> tuple[Any, ...]:
            return print, ("executed",)

    path = tmp_path / "weights.pth"
    write(path, {"w": Attack()}, _state()[1])
    with pytest.raises(InvalidPickle, match=r"the pickle calls (__builtin__|builtins)\.print, which is not allowed"):
        torch_checkpoint.read(path)


def test_refuses_an_opcode_that_plain_data_do_not_need() -> None:
    with pytest.raises(InvalidPickle, match="the pickle uses INST, which plain data do not need"):
        inert_pickle.read(io.BytesIO(b"(ios\nsystem\n."), constructors={})


@WRITERS
def test_refuses_what_is_no_dictionary_of_tensors(tmp_path: Path, write: Any) -> None:
    path = tmp_path / "weights.pth"
    write(path, {"w": 3, "x": _state()[0]["whole"]}, _state()[1])
    with pytest.raises(InvalidPickle, match=r"weights\.pth is not a dictionary of tensors"):
        torch_checkpoint.read(path)


def test_every_truncation_is_refused(tmp_path: Path) -> None:
    whole = tmp_path / "whole.pth"
    _write_legacy(whole, *_state())
    content = whole.read_bytes()
    for length in range(0, len(content), 3):
        path = tmp_path / "cut.pth"
        path.write_bytes(content[:length])
        with pytest.raises(InvalidPickle):
            torch_checkpoint.read(path)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
        max_leaves=20,
    )
)
def test_plain_data_are_read_as_pickle_reads_them(value: object) -> None:
    data = pickle.dumps(value, protocol=2)
    assert inert_pickle.read(io.BytesIO(data), constructors={}) == value
