"""Files as Keras 2.15 wrote them, against the outputs that Keras 2.15 gave."""

from __future__ import annotations

import json
import random
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from keras_2 import small_models
from onnxpress.errors import InvalidModel, OnnxpressError, UnsupportedModel
from onnxpress.runtime import Session
from onnxpress_frontends.tensorflow_source import load, reference

RECORD = json.loads(small_models.RECORD.read_text())["models"]


def write(path: Path, title: str, *, version: str = "2.15.0") -> Path:
    recorded = RECORD[title]
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = version
        file.attrs["model_config"] = json.dumps(recorded["config"])
        groups = file.create_group("model_weights")
        groups.attrs["layer_names"] = [name.encode() for name in recorded["weights"]]
        for layer, weights in recorded["weights"].items():
            group = groups.create_group(layer)
            group.attrs["weight_names"] = [name.encode() for name in weights]
            for name, shape in weights.items():
                group[name] = np.zeros(shape, np.int64 if name == "count:0" else np.float32)
        small_models.fill(groups)
    return path


def feeds(title: str, ports: Any) -> dict[str, np.ndarray]:
    shapes = RECORD[title]["feeds"]
    return {port.name: small_models.array(port.name, shapes[port.name], port.dtype) for port in ports}


def outputs_of(title: str, results: dict[str, np.ndarray]) -> list[np.ndarray]:
    """In the order of the record, which is TensorFlow's: that of the keys where the outputs are a dictionary."""
    is_dictionary = isinstance(RECORD[title]["config"]["config"].get("output_layers"), dict)
    return [results[name] for name in (sorted(results) if is_dictionary else results)]


@pytest.mark.parametrize("title", [title for title in RECORD if title != "time first"])
def test_the_outputs_are_those_of_keras_2(tmp_path: Path, title: str) -> None:
    runner = reference(write(tmp_path / "model.h5", title))
    results = outputs_of(title, runner.run(feeds(title, runner.inputs)))
    assert len(results) == len(RECORD[title]["outputs"])
    for result, expected in zip(results, RECORD[title]["outputs"], strict=True):
        np.testing.assert_allclose(result, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize(
    "title",
    [
        "convolutions",
        "sequential with a hard sigmoid",
        "functions of TensorFlow",
        "more functions",
        "dictionaries",
        "a model called twice",
        "a model in a model in a model",
        "slashes in names",
        "preprocessing",
    ],
)
def test_and_so_they_are_in_onnx(tmp_path: Path, title: str) -> None:
    session = Session(load(write(tmp_path / "model.h5", title)))
    results = outputs_of(title, session.run(feeds(title, session.inputs)))
    for result, expected in zip(results, RECORD[title]["outputs"], strict=True):
        np.testing.assert_allclose(result, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def test_a_layer_that_keras_3_cannot_express_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModel, match=r"layer 'lstm\w*' \(LSTM\) has time_major=True, which Keras 3 cannot"):
        load(write(tmp_path / "model.h5", "time first"))


def changed(path: Path, change: Any) -> Path:
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        change(config)
        file.attrs["model_config"] = json.dumps(config)
    return path


def test_a_key_that_keras_3_does_not_know_is_refused_by_layer_and_key(tmp_path: Path) -> None:
    path = write(tmp_path / "model.h5", "slashes in names")
    changed(path, lambda config: config["config"]["layers"][1]["config"].update(flavour="mild"))
    with pytest.raises(
        UnsupportedModel, match=r"layer 'block_conv' \(Conv2D\) has key 'flavour', which Keras 3\S+ does"
    ):
        load(path)


def test_a_function_that_does_more_than_compute_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "model.h5", "functions of TensorFlow")
    changed(path, lambda config: config["config"]["layers"][1]["config"].update(function="io.read_file"))
    with pytest.raises(UnsupportedModel, match=r"the model calls tf\.io\.read_file, which is not among the functions"):
        load(path)


def test_a_sequential_that_is_a_bare_list_of_layers(tmp_path: Path) -> None:
    path = write(tmp_path / "model.h5", "sequential with a hard sigmoid", version="2.1.6")
    changed(path, lambda config: config.update(config=config["config"]["layers"][1:]))
    assert [port.name for port in reference(path).inputs] == ["conv2d_1_input"]


def test_a_frozen_model_inside_has_its_weights_where_they_belong(tmp_path: Path) -> None:
    path = write(tmp_path / "model.h5", "a frozen model inside")
    with h5py.File(path, "r+") as file:
        group = file["model_weights"]["base"]
        group.attrs["weight_names"] = group.attrs["weight_names"][::-1]
    runner = reference(path)
    (result,) = runner.run(feeds("a frozen model inside", runner.inputs)).values()
    np.testing.assert_allclose(result, RECORD["a frozen model inside"]["outputs"][0], rtol=1e-5)


def test_an_archive_of_keras_2(tmp_path: Path) -> None:
    """``.keras`` files of Keras 2 hold the same configuration, and the weights as Keras 3 writes them."""
    recorded, path = RECORD["slashes in names"], tmp_path / "model.keras"
    with h5py.File(tmp_path / "model.weights.h5", "w") as file:
        for kind, layer in (("conv2d", "block/conv"), ("batch_normalization", "block/norm")):
            for index, (name, shape) in enumerate(recorded["weights"][layer].items()):
                file[f"layers/{kind}/vars/{index}"] = small_models.array(name, tuple(shape), "float32")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": "2.15.0"}))
        archive.writestr("config.json", json.dumps({"module": "keras.src.engine.functional", **recorded["config"]}))
        archive.write(tmp_path / "model.weights.h5", "model.weights.h5")
    runner = reference(path)
    (result,) = runner.run(feeds("slashes in names", runner.inputs)).values()
    np.testing.assert_allclose(result, recorded["outputs"][0], rtol=0, atol=1e-6)


def test_a_custom_layer_beside_layers_of_keras_2(keras: Any, tmp_path: Path) -> None:
    @keras.saving.register_keras_serializable(package="house", name="Halve")
    class Halve(keras.layers.Layer):
        def call(self, x: Any) -> Any:
            return x / 2

    path = write(tmp_path / "model.h5", "slashes in names")
    halve = {"class_name": "house>Halve", "config": {"name": "halve", "dtype": "float32"}}
    changed(path, lambda config: config["config"]["layers"][-1].update(halve))
    with pytest.raises(UnsupportedModel, match="custom object house>Halve in 'block_relu'"):
        load(path)
    runner = reference(path, allow_custom_objects=True)
    (result,) = runner.run(feeds("slashes in names", runner.inputs)).values()
    expected = np.array(RECORD["slashes in names"]["outputs"][0]) / 2
    np.testing.assert_allclose(np.maximum(result, 0), expected, rtol=0, atol=1e-6)


SOME = ("convolutions", "functions of TensorFlow", "a model called twice", "models in a sequential", "cells")
SEEDS = [*range(10), *(pytest.param(seed, marks=pytest.mark.long) for seed in range(10, 200))]


def places(item: Any) -> list[tuple[Any, Any]]:
    """Every container and key in it."""
    keys = list(item) if isinstance(item, dict) else range(len(item)) if isinstance(item, list) else []
    return [place for key in keys for place in ((item, key), *places(item[key]))]


@pytest.mark.parametrize("seed", SEEDS)
def test_damaged_configurations_give_an_error_or_a_sound_model(tmp_path: Path, seed: int) -> None:
    generator = random.Random(seed)

    def damage(config: Any) -> None:
        container, key = generator.choice(places(config))
        container[key] = generator.choice(
            [None, -1, "x", "a/b", [], {}, True, 1.5, {"class_name": "Dense", "config": {}}]
        )

    path = changed(write(tmp_path / "model.h5", generator.choice(SOME)), damage)
    try:
        assert reference(path).outputs
    except OnnxpressError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize("seed", SEEDS)
def test_flipped_bits_give_an_error_or_a_sound_model(tmp_path: Path, seed: int) -> None:
    generator = random.Random(seed)
    path = write(tmp_path / "model.h5", generator.choice(SOME))
    content = bytearray(path.read_bytes())
    for _ in range(4):
        content[generator.randrange(len(content))] ^= 1 << generator.randrange(8)
    path.write_bytes(content)
    try:
        assert reference(path).outputs
    except OnnxpressError as error:
        assert "\n" not in str(error)


def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "model.h5", "a frozen model inside")
    with h5py.File(path, "r+") as file:
        del file["model_weights"]["base"].attrs["weight_names"]
    with pytest.raises(InvalidModel, match=r"model\.h5 has other weights than layer 'base' needs: none instead of"):
        load(path)
