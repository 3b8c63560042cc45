from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from onnxpress.data.preprocessing import PRESETS, Preprocessing, layout_of, parse
from onnxpress.errors import InvalidData, InvalidOption
from onnxpress.kinds import Port

PIXELS = np.random.default_rng(0).integers(0, 256, (2, 4, 5, 3)).astype(np.uint8)


@pytest.mark.parametrize(
    ("preset", "formula"),
    [
        ("keras-tf", lambda x: x / 127.5 - 1),
        ("keras-torch", lambda x: (x / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]),
        ("keras-caffe", lambda x: x[..., ::-1] - [103.939, 116.779, 123.68]),
        ("tflite", lambda x: (x - 127) / 128),
    ],
)
def test_presets(preset: str, formula) -> None:
    values = PRESETS[preset].values(PIXELS, "nhwc")
    assert values.dtype == np.float32
    np.testing.assert_allclose(values, formula(PIXELS.astype(np.float64)), rtol=0, atol=2e-5)


def test_layout_moves_channels_after_the_arithmetic() -> None:
    values = PRESETS["keras-torch"].values(PIXELS, "nchw")
    np.testing.assert_array_equal(values, np.moveaxis(PRESETS["keras-torch"].values(PIXELS, "nhwc"), -1, 1))


def test_nothing_to_do_leaves_integers() -> None:
    assert Preprocessing(resize=3).values(PIXELS, "nhwc").dtype == np.uint8


def test_spec_as_text_mapping_and_file(tmp_path: Path) -> None:
    wanted = Preprocessing(resize=256, crop=(224, 200), mean=(1.0, 2.0, 3.0), std=127.5, channels="bgr")
    (tmp_path / "p.toml").write_text(
        'resize = 256\ncrop = [224, 200]\nmean = [1, 2, 3]\nstd = 127.5\nchannels = "bgr"\n'
    )
    assert parse("resize=256, crop=[224,200], mean=[1,2,3], std=127.5, channels=bgr") == wanted
    assert parse({"resize": 256, "crop": [224, 200], "mean": [1, 2, 3], "std": 127.5, "channels": "bgr"}) == wanted
    assert parse(tmp_path / "p.toml") == wanted
    assert parse("preset=tflite, resize=256") == Preprocessing(mean=127.0, std=128.0, resize=256)


@pytest.mark.parametrize(
    ("spec", "error", "sentence"),
    [
        ("keras", InvalidData, "cannot read preprocessing 'keras': give a preset (keras-tf, keras-torch, keras-caffe,"),
        ("preset=keras", InvalidData, "no preprocessing preset is called 'keras'; known: keras-tf, keras-torch"),
        ("sclae=2", InvalidOption, "preprocessing has no option 'sclae'; did you mean 'scale'?"),
        ("channels=gbr", InvalidOption, "preprocessing: option 'channels' must be 'rgb' or 'bgr', not 'gbr'"),
    ],
)
def test_bad_specs(spec: str, error: type[Exception], sentence: str) -> None:
    with pytest.raises(error) as caught:
        parse(spec)
    assert str(caught.value).startswith(sentence)


def test_layout_is_derived_or_asked_for() -> None:
    def port(*shape: int | str | None) -> Port:
        return Port(name="x", dtype="float32", shape=shape)

    assert layout_of(port("N", 224, 224, 3), Preprocessing()) == "nhwc"
    assert layout_of(port("N", 1, None, None), Preprocessing()) == "nchw"
    assert layout_of(port("N", 3, 3, 3), Preprocessing(layout="nchw")) == "nchw"
    with pytest.raises(
        InvalidData, match="input 'x' does not tell where its channels are; add layout=nhwc or layout=nchw"
    ):
        layout_of(port("N", 3, 3, 3), Preprocessing())
