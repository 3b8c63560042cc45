from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from onnxpress.data.labels import load_labels
from onnxpress.errors import InvalidData


@pytest.mark.parametrize("name", ["y.npy", "y.npz", "y.txt", "y.csv"])
def test_reads(tmp_path: Path, name: str) -> None:
    path, labels = tmp_path / name, np.array([3, 1, 2], np.uint8)
    if name.endswith("npy"):
        np.save(path, labels[:, np.newaxis])
    elif name.endswith("npz"):
        np.savez(path, x=np.zeros((3, 2)), labels=labels)
    else:
        path.write_text("3\n1\n\n2\n")
    read = load_labels(path)
    assert read.dtype == np.int64
    assert read.tolist() == [3, 1, 2]


@pytest.mark.parametrize("labels", [np.zeros(3), np.zeros((3, 10), np.int64), np.int64(3)])
def test_refuses_what_is_not_one_integer_per_sample(tmp_path: Path, labels: np.ndarray) -> None:
    np.save(tmp_path / "y.npy", labels)
    with pytest.raises(InvalidData, match="labels must be one integer per sample, got"):
        load_labels(tmp_path / "y.npy")


def test_names_the_line(tmp_path: Path) -> None:
    (tmp_path / "y.csv").write_text("1\ncat\n")
    with pytest.raises(InvalidData, match=r"y.csv, line 2: a label must be one integer, got 'cat'"):
        load_labels(tmp_path / "y.csv")


def test_asks_which_array(tmp_path: Path) -> None:
    np.savez(tmp_path / "y.npz", a=np.zeros(1, int), b=np.zeros(1, int))
    with pytest.raises(InvalidData, match="which array holds the labels\\? call it 'labels'; got a, b"):
        load_labels(tmp_path / "y.npz")


def test_takes_what_is_in_memory() -> None:
    assert load_labels([2, 0]).tolist() == [2, 0]
    with pytest.raises(InvalidData, match="labels: labels must be one integer per sample, got float64"):
        load_labels([0.5])
