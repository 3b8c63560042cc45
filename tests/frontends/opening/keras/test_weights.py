from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from onnxpress.errors import InvalidModel
from onnxpress_frontends.opening.keras.weights import load_weights


@pytest.fixture
def model(keras: Any) -> Any:
    """A model inside a model; both BatchNormalizations have vectors of one shape."""
    layers = keras.layers
    x = keras.Input((3,), name="inner_x")
    first = layers.BatchNormalization(name="first")(layers.Dense(3, name="dense")(x))
    inner = keras.Model(x, layers.BatchNormalization(name="second")(first), name="inner")
    x = keras.Input((3,), name="x")
    return keras.Model(x, layers.Dense(2, name="last")(inner(x)))


def write(path: Path, weights: dict[str, dict[str, np.ndarray]], *, chunks: int = 1) -> h5py.File:
    file = h5py.File(path, "w")
    file.attrs["layer_names"] = [name.encode() for name in weights]
    for layer, arrays in weights.items():
        group = file.create_group(layer)
        names = [name.encode() for name in arrays]
        for index in range(chunks):
            group.attrs[f"weight_names{index}" if chunks > 1 else "weight_names"] = names[index::chunks]
        for name, array in arrays.items():
            group[name] = array
    return file


def numbered(model: Any, suffix: str = ":0") -> dict[str, dict[str, np.ndarray]]:
    """Weights of every layer by name, each with its place as its value."""
    return {
        layer.name: {
            "/".join(weight.path.split("/")[-2:]) + suffix: np.full(weight.shape, index, np.float32)
            for index, weight in enumerate(layer.weights)
        }
        for layer in model.layers
    }


def backwards(weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return dict(reversed(weights.items()))


def test_inside_a_layer_the_name_decides_whatever_the_order(model: Any, tmp_path: Path) -> None:
    weights = {layer: backwards(arrays) for layer, arrays in numbered(model).items()}
    with write(tmp_path / "a.h5", weights) as file:
        load_weights(model, file, source="a.h5")
    for layer in model.layers:
        assert [float(weight.numpy().flat[0]) for weight in layer.weights] == list(range(len(layer.weights)))


def test_long_lists_of_names_are_spread_over_attributes(model: Any, tmp_path: Path) -> None:
    with write(tmp_path / "a.h5", numbered(model), chunks=3) as file:
        load_weights(model, file, source="a.h5")
    assert float(model.get_layer("last").bias.numpy()[0]) == 1


def test_the_cells_of_recurrent_layers_go_by_order(keras: Any, tmp_path: Path) -> None:
    x = keras.Input((4, 3), name="x")
    model = keras.Model(x, keras.layers.Bidirectional(keras.layers.LSTM(2), name="both")(x))
    names = [
        f"both/{way}_lstm/lstm_cell_{number}/{weight}:0"
        for number, way in ((7, "forward"), (8, "backward"))
        for weight in ("kernel", "recurrent_kernel", "bias")
    ]
    arrays = [np.full(weight.shape, index, np.float32) for index, weight in enumerate(model.layers[1].weights)]
    with write(tmp_path / "a.h5", {"both": dict(zip(names, arrays, strict=True))}) as file:
        load_weights(model, file, source="a.h5")
    assert [float(weight.numpy().flat[0]) for weight in model.layers[1].weights] == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("change", ["missing layer", "missing weight", "additional", "renamed", "shape"])
def test_weights_that_do_not_fit_are_refused(model: Any, tmp_path: Path, change: str) -> None:
    weights = numbered(model)
    last = weights["last"]
    if change == "missing layer":
        del weights["last"]
    elif change == "missing weight":
        del last["last/bias:0"]
    elif change == "additional":
        last["last/scale:0"] = np.ones(2, np.float32)
    elif change == "renamed":
        last["last/gamma:0"] = last.pop("last/bias:0")
    else:
        last["last/bias:0"] = np.ones(3, np.float32)
    with (
        write(tmp_path / "a.h5", weights) as file,
        pytest.raises(
            InvalidModel, match=r"a\.h5 has other weights than layer 'last' needs: .* instead of last/kernel"
        ),
    ):
        load_weights(model, file, source="a.h5")


def test_statistics_of_renormalisation_play_no_part(keras: Any, tmp_path: Path) -> None:
    x = keras.Input((2,), name="x")
    model = keras.Model(x, keras.layers.BatchNormalization(name="norm")(x))
    weights = numbered(model)
    weights["norm"]["norm/renorm_mean:0"] = np.ones(2, np.float32)
    with write(tmp_path / "a.h5", weights) as file:
        load_weights(model, file, source="a.h5")
    assert [float(weight.numpy()[0]) for weight in model.layers[1].weights] == [0, 1, 2, 3]
