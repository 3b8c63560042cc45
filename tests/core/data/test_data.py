from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from onnxpress import data
from onnxpress.errors import InvalidData
from onnxpress.kinds import Port

X = Port(name="x", dtype="float32", shape=("N", 2, 3))
IDS = Port(name="ids", dtype="int64", shape=("N", 4))
SAMPLES = np.arange(5 * 6, dtype=np.float32).reshape(5, 2, 3)


def collected(samples: data.Samples, name: str = "x") -> np.ndarray:
    return np.concatenate([feeds[name] for feeds in samples])


def test_fixed_batch_dimension_overrules_and_drops_the_rest(caplog) -> None:
    fixed = Port(name="x", dtype="float32", shape=(2, 2, 3))
    feeds = list(data.load(SAMPLES, [fixed]).batches(5))
    assert [len(feed["x"]) for feed in feeds] == [2, 2]
    assert "input 'x' takes batches of exactly 2 samples: the last 1 are not used" in caplog.text


def test_samples_of_changing_shape_are_not_mixed() -> None:
    port = Port(name="x", dtype="float32", shape=("N", None))
    source = [np.zeros((1, 3)), np.zeros((1, 3)), np.zeros((1, 5)), np.zeros((1, 3))]
    assert [feeds["x"].shape for feeds in data.load(source, [port]).batches(4)] == [(2, 3), (1, 5), (1, 3)]


def test_scalar_inputs_are_the_same_in_every_run() -> None:
    scalar = Port(name="s", dtype="float32", shape=())
    feeds = list(data.load({"x": SAMPLES, "s": np.float32(7)}, [X, scalar]).batches(2))
    assert [float(feed["s"]) for feed in feeds] == [7, 7, 7]


def test_safe_casts(tmp_path: Path) -> None:
    assert collected(data.load(SAMPLES.astype(np.uint8), [X])).dtype == np.float32
    assert collected(data.load(np.zeros((2, 4), np.int32), [IDS]), "ids").dtype == np.int64
    doubles = data.load(SAMPLES.astype(np.float64), [X])
    assert collected(doubles).dtype == np.float32
    assert doubles.notes == ("input 'x': float64 data are rounded to float32",)


@pytest.mark.parametrize(
    ("source", "inputs", "sentence"),
    [
        ({"z": SAMPLES, "x2": SAMPLES}, [X], "the data: no array for input 'x', got 'z', 'x2'"),
        ({"x": SAMPLES, "z": SAMPLES}, [X], "the data: 'z' is no input of the model, whose inputs are 'x'"),
        (np.zeros((5, 3, 3)), [X], "the data: input 'x' expects float32 [N,2,3], got float64 [5,3,3]"),
        (np.zeros((2, 4)), [IDS], "the data: input 'ids' expects int64, got float64; convert the data first"),
        (
            np.full((1, 2, 3), 2**24 + 1, np.int32),
            [X],
            "the data: input 'x' expects float32, which cannot hold these int32 values",
        ),
        (
            {"x": SAMPLES, "ids": np.zeros((4, 4), np.int64)},
            [X, IDS],
            "the data: input 'x' has 5 samples, but 'ids' 4",
        ),
        (np.zeros((0, 2, 3)), [X], "the data holds no samples"),
        (
            iter([SAMPLES]),
            [X],
            "the data are an iterator, which can be read only once; give the function that makes it",
        ),
        (3, [X], "data cannot be a int: give a path, module:function, arrays or a function"),
        ([(SAMPLES, SAMPLES)], [X], "the data: got 2 arrays for 1 inputs (x)"),
        ("absent.npz", [X], "no data at absent.npz: give a .npz or .npy file, a folder, or package.module:function"),
        (
            "absent_module:feeds",
            [X],
            "cannot import data function 'absent_module:feeds': No module named 'absent_module'",
        ),
        (
            SAMPLES,
            [Port(name="x", dtype="float32", shape=(8, 2, 3))],
            "input 'x' takes batches of exactly 8 samples, got 5 in all; give more",
        ),
    ],
)
def test_misfits_are_one_sentence(source: object, inputs: list[Port], sentence: str) -> None:
    with pytest.raises(InvalidData) as caught:
        data.load(source, inputs)
    assert str(caught.value) == sentence


def test_wrong_layout_is_recognised() -> None:
    port = Port(name="x", dtype="float32", shape=("N", 3, 8, 9))
    with pytest.raises(
        InvalidData, match=r"channels last; the model takes channels first: transpose with \(0, 3, 1, 2\)"
    ):
        data.load(np.zeros((1, 8, 9, 3)), [port])


def test_random_data_are_seeded_and_say_so() -> None:
    image = Port(name="x", dtype="float32", shape=("N", 3, None, None))
    first, second = (list(data.random_data([image, IDS], samples=3, size=5)) for _ in range(2))
    assert [feeds["x"].shape for feeds in first] == [(1, 3, 5, 5)] * 3
    for one, two in zip(first, second, strict=True):
        np.testing.assert_array_equal(one["x"], two["x"])
    assert not np.array_equal(first[0]["x"], first[1]["x"])
    assert set(np.unique(np.concatenate([feeds["ids"] for feeds in first]))) == {0, 1}
    assert data.random_data([image]).is_random


def test_pixels_in_arrays_are_preprocessed() -> None:
    port = Port(name="x", dtype="float32", shape=("N", 8, 8, 1))
    pixels = np.full((2, 8, 8), 255, np.uint8)
    np.testing.assert_array_equal(collected(data.load(pixels, [port], preprocessing="keras-tf")), np.ones((2, 8, 8, 1)))
    with pytest.raises(InvalidData, match="resize or crop takes image files; arrays must have the model's size"):
        data.load(pixels, [port], preprocessing="resize=8")
