from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from onnxpress import data
from onnxpress.kinds import Port

X = Port(name="x", dtype="float32", shape=("N", 2, 3))
IDS = Port(name="ids", dtype="int64", shape=("N", 4))
SAMPLES = np.arange(5 * 6, dtype=np.float32).reshape(5, 2, 3)


def collected(samples: data.Samples, name: str = "x") -> np.ndarray:
    return np.concatenate([feeds[name] for feeds in samples])


def save_folder(folder: Path, arrays: list[np.ndarray]) -> Path:
    folder.mkdir(parents=True)
    for index, array in enumerate(arrays):
        np.save(folder / f"{index:03}.npy", array)
    return folder


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz_by_name(tmp_path: Path, save) -> None:
    ids = np.arange(20).reshape(5, 4)
    save(tmp_path / "d.npz", x=SAMPLES, ids=ids)
    samples = data.load(tmp_path / "d.npz", [X, IDS])
    assert [feeds["x"].shape for feeds in samples] == [(1, 2, 3)] * 5
    np.testing.assert_array_equal(collected(samples), SAMPLES)
    np.testing.assert_array_equal(collected(samples, "ids"), ids)


def test_npz_may_hold_labels_and_any_single_name(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", images=SAMPLES, labels=np.arange(5))
    np.testing.assert_array_equal(collected(data.load(tmp_path / "d.npz", [X])), SAMPLES)


@pytest.mark.parametrize("array", [SAMPLES, np.asfortranarray(SAMPLES), SAMPLES.astype(">f4")])
def test_npy(tmp_path: Path, array: np.ndarray) -> None:
    np.save(tmp_path / "d.npy", array)
    feeds = list(data.load(str(tmp_path / "d.npy"), [X]).batches(2))
    assert [len(feed["x"]) for feed in feeds] == [2, 2, 1]
    np.testing.assert_array_equal(np.concatenate([feed["x"] for feed in feeds]), SAMPLES)


def test_folder_of_npy_holds_samples_and_batches_in_sorted_order(tmp_path: Path) -> None:
    folder = save_folder(tmp_path / "d", [SAMPLES[0], SAMPLES[1:4], SAMPLES[4:]])
    np.testing.assert_array_equal(collected(data.load(folder, [X]).batches(4)), SAMPLES)


def test_folder_of_folders_is_one_per_input(tmp_path: Path) -> None:
    save_folder(tmp_path / "d" / "x", list(SAMPLES))
    save_folder(tmp_path / "d" / "ids", list(np.arange(20).reshape(5, 4)))
    samples = data.load(tmp_path / "d", [X, IDS])
    np.testing.assert_array_equal(collected(samples), SAMPLES)
    np.testing.assert_array_equal(collected(samples, "ids")[-1], [16, 17, 18, 19])


def test_folder_of_npz_is_feeds(tmp_path: Path) -> None:
    for index in range(5):
        np.savez(tmp_path / f"{index}.npz", x=SAMPLES[index], ids=np.full(4, index))
    samples = data.load(tmp_path, [X, IDS]).batches(3)
    assert [feeds["ids"].shape for feeds in samples] == [(3, 4), (2, 4)]
    np.testing.assert_array_equal(collected(samples), SAMPLES)
