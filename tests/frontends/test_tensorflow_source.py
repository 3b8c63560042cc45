from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import onnxpress_frontends
from onnxpress.errors import InvalidModel
from onnxpress.kinds import Frontend
from onnxpress.options import schema
from onnxpress.registry import Registry
from onnxpress.testing import check_plugin
from onnxpress_frontends.tensorflow_source import TENSORFLOW, accepts, load


def test_the_plugin_keeps_the_contract() -> None:
    assert check_plugin(onnxpress_frontends) == {"frontend": 4}
    assert list(Registry(onnxpress_frontends, installed=False).all(Frontend)) == [
        "onnx",
        "tensorflow",
        "tflite",
        "torch",
    ]


def test_the_reference_takes_the_options_of_load() -> None:
    assert TENSORFLOW.reference is not None
    assert schema(TENSORFLOW.reference) == schema(TENSORFLOW.load)


@pytest.mark.parametrize("name", ["a.keras", "a.h5", "a.hdf5", "a.PB", "a.pbtxt", "a.meta", "a.index", ".meta"])
def test_files_are_known_by_their_suffix(name: str) -> None:
    assert accepts(Path(name))


@pytest.mark.parametrize("source", [Path("a.onnx"), Path("a.tflite"), Path("a"), "a.keras", 3, None])
def test_other_things_are_not_accepted(source: Any) -> None:
    assert not accepts(source)


def test_models_and_functions_in_memory_are_known_by_their_package(tf: Any, keras: Any, cnn: Any) -> None:
    function = tf.function(lambda x: x, input_signature=[tf.TensorSpec((2,))])
    sources = (cnn, keras.Sequential(), tf.Module(), function, function.get_concrete_function())
    assert [source for source in sources if not accepts(source)] == []


def test_a_path_that_leads_nowhere(tmp_path: Path) -> None:
    with pytest.raises(InvalidModel, match=r"none does not exist; give a SavedModel folder, or a \.keras"):
        load(tmp_path / "none")
