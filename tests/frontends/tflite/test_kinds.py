"""TFLite files of every kind, as TensorFlow's converter writes them, against TFLite's own interpreter."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from onnxpress.runtime import Session
from onnxpress_frontends.tflite.reading import read


def weights(model: ir.Model) -> dict[str, int]:
    """How many weights of more than 50 elements are of which type."""
    found: dict[str, int] = {}
    for value in model.graph.initializers.values():
        if value.const_value is not None and value.const_value.size > 50 and value.dtype is not None:
            found[value.dtype.name] = found.get(value.dtype.name, 0) + 1
    return found


class TestKinds:
    def test_float(self, write: Any, network: Any, agree: Any) -> None:
        model = agree(write(network))
        assert [(value.name, str(value.shape)) for value in model.graph.inputs] == [("image", "[N,16,16,3]")]
        assert [(value.name, str(value.shape)) for value in model.graph.outputs] == [("output_0", "[N,10]")]
        assert weights(model) == {"FLOAT": 5}

    def test_halves_become_float32(self, write: Any, network: Any, agree: Any) -> None:
        assert weights(agree(write(network, kind="half"))) == {"FLOAT": 5}

    def test_dynamic_range_keeps_its_integers(self, keras: Any, write: Any, agree: Any) -> None:
        """The interpreter also quantises what comes in, by batch: 1 % of the largest output is what that may cost."""
        keras.utils.set_random_seed(0)
        image = keras.Input((16, 16, 8), name="image")
        x = keras.layers.Conv2D(16, 3, activation="relu")(image)
        model = keras.Model(image, keras.layers.Dense(40)(keras.layers.Flatten()(x)))
        converted = agree(write(model, kind="dynamic"), rtol=0.01)
        assert weights(converted) == {"INT8": 2}

    @pytest.mark.parametrize(("kind", "dtype"), [("int8", "float32"), ("int8-ends", "int8"), ("uint8-ends", "uint8")])
    def test_full_integers(self, write: Any, network: Any, agree: Any, kind: str, dtype: str) -> None:
        model = agree(write(network, kind=kind), steps=1, share=0.3)
        assert [value.dtype.numpy() for value in (*model.graph.inputs, *model.graph.outputs)] == [dtype] * 2
        assert weights(model) == {"INT8": 5}

    def test_channels_of_zeros(self, keras: Any, write: Any, agree: Any) -> None:
        keras.utils.set_random_seed(0)
        image = keras.Input((8, 8, 3), name="image")
        model = keras.Model(image, keras.layers.Conv2D(8, 3, bias_initializer="normal")(image))
        model.set_weights([np.where(np.arange(8) == 2, 0, weight) for weight in model.get_weights()])
        for kind in ("int8", "int16"):
            agree(write(model, kind=kind), steps=1, share=0.1)

    def test_integers_of_16_bits(self, write: Any, network: Any, agree: Any) -> None:
        model = agree(write(network, kind="int16"), steps=2, share=0.3)
        assert model.opset_imports[""] == 21

    @pytest.mark.parametrize(("kind", "rtol"), [("sparse", 1e-5), ("sparse-half", 1e-5), ("sparse-dynamic", 0.02)])
    def test_sparse(self, pruned: Any, write: Any, agree: Any, kind: str, rtol: float) -> None:
        path = write(pruned, kind=kind)
        assert "DENSIFY" in [operator.code for operator in read(path).graphs[0].operators]
        sparse, dense = (agree(file, rtol=rtol) for file in (path, write(pruned, kind=_dense(kind))))
        image = np.random.default_rng(0).standard_normal((2, 16, 16, 3)).astype(np.float32)
        results = [Session(model).run({"image": image})["output_0"] for model in (sparse, dense)]
        np.testing.assert_array_equal(*results)


def _dense(kind: str) -> str:
    return {"sparse": "float", "sparse-half": "half", "sparse-dynamic": "dynamic"}[kind]


@pytest.fixture(scope="module")
def pruned(keras: Any) -> Any:
    """A network with 85 % zeros in every kernel."""
    keras.utils.set_random_seed(0)
    image = keras.Input((16, 16, 3), name="image")
    x = keras.layers.Conv2D(32, 3, padding="same", activation="relu")(image)
    x = keras.layers.Conv2D(64, 1, activation="relu")(x)
    model = keras.Model(image, keras.layers.Dense(16)(keras.layers.GlobalAveragePooling2D()(x)))
    model.set_weights([_thinned(weight) for weight in model.get_weights()])
    return model


def _thinned(weight: Any) -> Any:
    magnitude = np.abs(weight)
    return np.where(magnitude < np.quantile(magnitude, 0.85), 0, weight) if weight.ndim > 1 else weight
