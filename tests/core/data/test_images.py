from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from onnxpress import data
from onnxpress.errors import InvalidData
from onnxpress.kinds import Port

Image = pytest.importorskip("PIL.Image")
NHWC = Port(name="image", dtype="float32", shape=("N", 8, 6, 3))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for index, name in enumerate(["b.png", "a.png", "c/d.png"]):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        pixels = np.zeros((20, 30, 3), np.uint8)
        pixels[..., 0], pixels[..., 2] = 10 * index, 255
        Image.fromarray(pixels).save(tmp_path / name)
    return tmp_path


def test_sorted_resized_and_scaled(folder: Path) -> None:
    feeds = list(data.load(folder, [NHWC], preprocessing="scale=0.1"))
    assert [feed["image"].shape for feed in feeds] == [(1, 8, 6, 3)] * 3
    assert [round(float(feed["image"][0, 0, 0, 0]), 4) for feed in feeds] == [1.0, 0.0, 2.0]
    np.testing.assert_allclose(feeds[0]["image"][..., 2], 25.5, rtol=1e-6)


def test_channels_first_bgr_and_grey(folder: Path) -> None:
    port = Port(name="image", dtype="float32", shape=("N", 3, None, None))
    feeds = next(iter(data.load(folder, [port], preprocessing="keras-caffe")))
    assert feeds["image"].shape == (1, 3, 20, 30)
    np.testing.assert_allclose(feeds["image"][0, 0], 255 - 103.939, rtol=1e-6)
    grey = Port(name="image", dtype="uint8", shape=(1, 1, 20, 30))
    assert next(iter(data.load(folder, [grey], preprocessing={})))["image"].dtype == np.uint8


def test_shorter_side_then_centre_crop(tmp_path: Path) -> None:
    pixels = np.tile(np.arange(40, dtype=np.uint8)[np.newaxis, :, np.newaxis], (20, 1, 3))
    Image.fromarray(pixels).save(tmp_path / "a.png")
    port = Port(name="image", dtype="uint8", shape=("N", 16, 16, 3))
    cut = next(iter(data.load(tmp_path, [port], preprocessing="resize=20")))["image"]
    np.testing.assert_array_equal(cut[0], pixels[2:18, 12:28])
    with pytest.raises(InvalidData, match=r"cannot crop 30 x 30 from image .*a.png, which has 20 x 40 pixels"):
        data.load(tmp_path, [port], preprocessing="crop=30")


def test_needs_a_spec(folder: Path) -> None:
    with pytest.raises(
        InvalidData, match="need a preprocessing spec: one of keras-tf, keras-torch, keras-caffe, tflite"
    ):
        data.load(folder, [NHWC])


def test_corrupt_images_are_named(folder: Path) -> None:
    (folder / "b.png").write_bytes((folder / "b.png").read_bytes()[:60])
    samples = data.load(folder, [NHWC], preprocessing="tflite")
    with pytest.raises(InvalidData, match=r"cannot read image .*b.png"):
        list(samples)


def test_feeds_one_input_only(folder: Path) -> None:
    with pytest.raises(InvalidData, match="a folder of images feeds one input; the model has 2"):
        data.load(folder, [NHWC, NHWC], preprocessing="tflite")
