from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from onnxpress import data
from onnxpress.errors import InvalidData
from onnxpress.kinds import Port

X = Port(name="x", dtype="float32", shape=("N", 2, 3))
SAMPLES = np.arange(5 * 6, dtype=np.float32).reshape(5, 2, 3)


def test_python_objects_are_never_loaded(tmp_path: Path) -> None:
    np.save(tmp_path / "d.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(InvalidData, match="holds Python objects, which are never loaded; save plain numbers"):
        data.load(tmp_path / "d.npy", [X])


@pytest.mark.parametrize("name", ["d.npy", "d.npz"])
@pytest.mark.parametrize("keep", [0.0, 0.1, 0.5, 0.9])
def test_truncated_files_are_named(tmp_path: Path, name: str, keep: float) -> None:
    path = tmp_path / name
    (np.save if name.endswith("npy") else np.savez_compressed)(path, SAMPLES)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * keep)])
    with pytest.raises(InvalidData, match=f"cannot read {path}"):
        data.load(path, [X])


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    import tracemalloc

    port = Port(name="x", dtype="float32", shape=("N", 1 << 18))
    np.savez_compressed(tmp_path / "d.npz", x=np.zeros((64, 1 << 18), np.uint8))
    samples = data.load(tmp_path / "d.npz", [port])
    tracemalloc.start()
    total = sum(len(feeds["x"]) for feeds in samples)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert total == 64
    assert peak < 8 << 20, f"{peak} bytes for a file of 16 MiB read as float32"


@pytest.mark.parametrize("name", ["d.npy", "d.npz"])
def test_flipped_bytes_give_a_sentence_or_an_array(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    (np.save if name.endswith("npy") else np.savez)(path, SAMPLES)
    good, generator = path.read_bytes(), np.random.default_rng(0)
    outcomes = set()
    for _ in range(300):
        bad = bytearray(good)
        bad[generator.integers(len(bad))] ^= 1 << generator.integers(8)
        path.write_bytes(bad)
        try:
            list(data.load(path, [X]))
            outcomes.add("read")
        except InvalidData as error:
            assert "\n" not in str(error)
            outcomes.add("refused")
    assert outcomes == {"read", "refused"}
