from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onnxpress.errors import InvalidModel, OnnxpressError, UnsupportedModel
from onnxpress.runtime import Session
from onnxpress_frontends.tensorflow_source import load, reference


@pytest.fixture(scope="module", params=["cnn.keras", "cnn.h5"])
def saved(request: Any, cnn: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = Path(tmp_path_factory.mktemp("saved") / request.param)
    cnn.save(path)
    return path


@pytest.fixture(scope="module", params=["twice.keras", "twice.h5"])
def with_lambda(request: Any, keras: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    x = keras.Input((4,), name="x")
    path = Path(tmp_path_factory.mktemp("lambda") / request.param)
    keras.Model(x, keras.layers.Lambda(lambda t: t * 2 + 1, name="twice")(x)).save(path)
    return path


def rewrite_config(path: Path, change: Any) -> None:
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(files["config.json"])
    change(config)
    files["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)


def test_a_file_converts_under_its_layers_names(agree: Any, saved: Path) -> None:
    model = agree(saved)
    assert [value.name for value in model.graph.inputs] == ["image"]
    assert [value.name for value in model.graph.outputs] == ["scores"]
    assert str(model.graph.inputs[0].shape[0]) == "N"


def test_an_hdf5_file_keeps_an_axis_that_is_a_list(keras: Any, tmp_path: Path) -> None:
    x, path = keras.Input((4, 3), name="x"), tmp_path / "axes.h5"
    model = keras.Model(x, keras.layers.UnitNormalization(axis=[1, 2], name="unit")(x))
    model.save(path)
    array = np.random.default_rng(0).standard_normal((2, 4, 3)).astype(np.float32)
    np.testing.assert_allclose(reference(path).run({"x": array})["unit"], model(array), rtol=1e-6)


def test_a_lambda_layer_is_refused_by_name(with_lambda: Path) -> None:
    with pytest.raises(UnsupportedModel, match="would run code of its own: Lambda layer in 'twice'; if you trust"):
        load(with_lambda)


def test_a_lambda_layer_runs_when_allowed(with_lambda: Path) -> None:
    x = np.ones((2, 4), np.float32)
    outputs = Session(load(with_lambda, allow_custom_objects=True)).run({"x": x})
    np.testing.assert_array_equal(outputs["twice"], x * 2 + 1)


@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_a_custom_layer_is_refused_though_registered_until_allowed(
    agree: Any, keras: Any, tmp_path: Path, suffix: str
) -> None:
    @keras.saving.register_keras_serializable(package="house", name=f"Triple{suffix}")
    class Triple(keras.layers.Layer):
        def call(self, x: Any) -> Any:
            return x * 3

    x, path = keras.Input((4,), name="x"), tmp_path / f"custom.{suffix}"
    keras.Model(x, Triple(name="three")(x)).save(path)
    with pytest.raises(UnsupportedModel, match=f"custom object house>Triple{suffix} in 'three'"):
        load(path)
    agree(path, allow_custom_objects=True)


def test_an_allowed_object_that_nobody_registered_is_named(keras: Any, tmp_path: Path) -> None:
    def shifted(x: Any) -> Any:
        return x + 1

    x, path = keras.Input((4,), name="x"), tmp_path / "shifted.keras"
    keras.Model(x, keras.layers.Dense(2, activation=shifted, name="dense")(x)).save(path)
    with pytest.raises(UnsupportedModel, match="custom object shifted in 'dense'"):
        load(path)
    with pytest.raises(UnsupportedModel, match=r"does not know \(Could not locate function 'shifted'\); register it"):
        load(path, allow_custom_objects=True)


def test_code_smuggled_into_an_ordinary_layer_is_refused(cnn: Any, tmp_path: Path) -> None:
    path = tmp_path / "smuggled.keras"
    cnn.save(path)
    rewrite_config(
        path,
        lambda config: config["config"]["layers"][3]["config"].update(
            negative_slope={"class_name": "system", "module": "os", "config": "true", "registered_name": None}
        ),
    )
    with pytest.raises(UnsupportedModel, match="would run code of its own: custom object system in 'relu'"):
        load(path)


def test_a_custom_loss_does_not_matter(agree: Any, keras: Any, tmp_path: Path) -> None:
    def my_loss(expected: Any, actual: Any) -> Any:
        return keras.ops.mean(expected - actual)

    x, path = keras.Input((4,), name="x"), tmp_path / "compiled.keras"
    model = keras.Model(x, keras.layers.Dense(2, name="dense")(x))
    model.compile("sgd", my_loss)
    model.save(path)
    agree(path)


def test_weights_alone_are_refused(cnn: Any, tmp_path: Path) -> None:
    path = tmp_path / "cnn.weights.h5"
    cnn.save_weights(path)
    with pytest.raises(InvalidModel, match="holds weights without a model; save the whole model"):
        load(path)


@pytest.mark.parametrize("name", ["none.keras", "none.h5"])
def test_a_missing_file(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidModel, match=f"{name} does not exist"):
        load(tmp_path / name)


@pytest.mark.parametrize("keep", [0.0, 0.1, 0.5, 0.9])
def test_truncated_files_are_refused_in_one_line(saved: Path, tmp_path: Path, keep: float) -> None:
    content, path = saved.read_bytes(), tmp_path / saved.name
    path.write_bytes(content[: int(len(content) * keep)])
    with pytest.raises(InvalidModel, match="is not a Keras file, or is truncated or corrupt") as caught:
        load(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("seed", [*range(8), *(pytest.param(seed, marks=pytest.mark.long) for seed in range(8, 150))])
def test_flipped_bits_give_an_error_or_a_sound_model(saved: Path, tmp_path: Path, seed: int) -> None:
    content, generator = bytearray(saved.read_bytes()), np.random.default_rng(seed)
    for position in generator.integers(0, len(content), 4):
        content[position] ^= 1 << int(generator.integers(8))
    path = tmp_path / saved.name
    path.write_bytes(content)
    try:
        assert load(path).graph.outputs
    except OnnxpressError as error:
        assert "\n" not in str(error)
