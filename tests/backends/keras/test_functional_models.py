"""Keras models out of ONNX: stock layers that hold the weights, the same numbers, or a refusal that names the node."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

import onnxpress
from onnxpress.errors import UnsupportedModel
from onnxpress.foreign import TENSORFLOW
from onnxpress.runtime import Session
from onnxpress.testing import model as parse
from onnxpress_backends.keras.functional_models import build, emit


@pytest.fixture(scope="session")
def keras() -> Any:
    TENSORFLOW.load()
    import keras

    return keras


def operations(model: Any) -> list[str]:
    return [type(operation).__name__ for operation in model.operations if type(operation).__name__ != "InputLayer"]


def feeds_of(model: ir.Model, batch: int = 2) -> dict[str, Any]:
    generator = np.random.default_rng(0)
    return {
        port.name: generator.standard_normal([size if isinstance(size, int) else batch for size in port.shape]).astype(
            port.dtype
        )
        for port in Session(model).inputs
    }


def agree(model: ir.Model, path: Path, keras: Any, *, tolerance: float = 1e-5) -> Any:
    """Emit, load with Keras, and assert that it gives what onnxruntime gives; the loaded model."""
    emit(model, path)
    loaded = keras.saving.load_model(path)
    feeds = feeds_of(model)
    given = list(feeds.values())
    results = loaded(given[0] if len(given) == 1 else given, training=False)
    expected = Session(model).run(feeds)
    results = results if isinstance(results, dict) else {next(iter(expected)): results}
    for name, array in expected.items():
        scale = np.abs(array).max()
        np.testing.assert_allclose(np.asarray(results[name]), array, rtol=0, atol=tolerance * max(scale, 1))
    return loaded


def converted(model: Any) -> ir.Model:
    return onnxpress.convert(model).model


def randomized(model: Any) -> Any:
    generator = np.random.default_rng(1)
    model.set_weights([generator.uniform(0.1, 0.9, weight.shape) for weight in model.get_weights()])
    return model


def test_a_cnn_is_made_of_the_layers_it_came_from(keras: Any, tmp_path: Path) -> None:
    layers = keras.layers
    image = keras.Input((16, 16, 3), name="image")
    x = layers.Conv2D(8, 3, strides=2, padding="same", activation="relu")(image)
    x = layers.BatchNormalization()(x)
    x = layers.DepthwiseConv2D(3, padding="same")(x)
    x = layers.ReLU(6)(x)
    x = layers.Conv2D(8, 1, groups=2, use_bias=False)(x)
    x = layers.MaxPooling2D()(x)
    x = layers.Flatten()(x)
    scores = layers.Dense(5, activation="softmax", name="scores")(x)
    model = randomized(keras.Model(image, scores))
    loaded = agree(converted(model), tmp_path / "net.keras", keras)
    made = operations(loaded)
    assert made.count("Conv2D") == 2 and made.count("DepthwiseConv2D") == 1 and made.count("Dense") == 1
    assert "Permute" not in made and "Transpose" not in made
    assert [tensor.name for tensor in loaded.inputs] == ["image"]
    assert loaded.output_names == ["scores"]


def test_it_can_be_trained(keras: Any, tmp_path: Path) -> None:
    image = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3, activation="relu")(image)
    model = keras.Model(image, keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(x)))
    emit(converted(model), tmp_path / "net.keras")
    loaded = keras.saving.load_model(tmp_path / "net.keras")
    loaded.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse")
    images = np.random.default_rng(0).standard_normal((32, 8, 8, 3)).astype(np.float32)
    wanted = images.mean((1, 2))[:, :2]
    history = loaded.fit(images, wanted, epochs=5, verbose=0, shuffle=False).history["loss"]
    assert history[-1] < history[0]


@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("kind", ["LSTM", "GRU", "SimpleRNN", "Bidirectional"])
def test_recurrent_layers_come_back_as_layers(keras: Any, tmp_path: Path, kind: str, sequences: bool) -> None:
    layers = keras.layers
    x = keras.Input((5, 3))
    inner = layers.LSTM if kind == "Bidirectional" else getattr(layers, kind)
    layer = inner(4, return_sequences=sequences)
    model = randomized(keras.Model(x, (layers.Bidirectional(layer) if kind == "Bidirectional" else layer)(x)))
    loaded = agree(converted(model), tmp_path / "net.keras", keras)
    assert operations(loaded).count(inner.__name__) == (2 if kind == "Bidirectional" else 1)


def test_a_transformer_block(keras: Any, tmp_path: Path) -> None:
    layers = keras.layers
    tokens = keras.Input((6, 8))
    x = layers.LayerNormalization()(tokens + layers.MultiHeadAttention(2, 4)(tokens, tokens))
    y = layers.Dense(8)(layers.Dense(16, activation="gelu")(x))
    model = randomized(keras.Model(tokens, layers.LayerNormalization()(x + y)))
    made = operations(agree(converted(model), tmp_path / "net.keras", keras))
    assert made.count("LayerNormalization") == 2
    assert made.count("Gelu") == 1


def test_several_outputs_are_a_dictionary_and_the_file_can_be_read_again(keras: Any, tmp_path: Path) -> None:
    model = parse("""
    g (float[N,4] a, float[N,4] b) => (float[N,4] total, float[N,2] part) {
        total = Add(a, b)
        two = Constant<value = int64[1] {2}>()
        zero = Constant<value = int64[1] {0}>()
        axis = Constant<value = int64[1] {1}>()
        part = Slice(total, zero, two, axis)
    }
    """)
    agree(model, tmp_path / "net.keras", keras)
    again = onnxpress.convert(tmp_path / "net.keras").model
    assert [value.name for value in again.graph.outputs] == ["total", "part"]
    assert [value.name for value in again.graph.inputs] == ["a", "b"]


def test_images_can_come_channels_last(keras: Any) -> None:
    kernel = np.random.default_rng(0).standard_normal((2, 3, 1, 1), dtype=np.float32)
    text = "g (float[N,3,4,4] x, float[2,3,1,1] w) => (float[N,2,4,4] y) { y = Conv(x, w) }"
    built, _ = build(parse(text, w=kernel), nhwc=True)
    assert built.input_shape == (None, 4, 4, 3)
    assert operations(built) == ["Conv2D"]


def test_the_same_model_gives_the_same_bytes(keras: Any, tmp_path: Path) -> None:
    text = "g (float[N,4] x, float[4] w) => (float[N,4] y) { t = Mul(x, w) u = Sin(t) y = Add(u, x) }"
    for name in ("a.keras", "b.keras"):
        emit(parse(text, w=np.float32([1, 2, 3, 4])), tmp_path / name)
    assert (tmp_path / "a.keras").read_bytes() == (tmp_path / "b.keras").read_bytes()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "g (float[N,4] x) => (float[N,4] y) { a = NonZero(x) b = Cast<to=1>(a) c = ReduceSum(b) y = Mul(x, c) }",
            r"\(NonZero\): Keras has no layer for it",
        ),
        (
            "g (float[N,4] x, float s) => (uint8[N,4] y) { y = QuantizeLinear(x, s) }",
            r"\(QuantizeLinear\): Keras has no layer for quantised tensors",
        ),
        ("g (float x) => (float y) { y = Neg(x) }", "input 'x' has no batch dimension"),
        (
            "g (float[5,N,3] x, float[1,16,3] w, float[1,16,4] r, float[1,N,4] h) => (float[5,1,N,4] y) "
            "{ y = LSTM<hidden_size=4>(x, w, r, , , h) }",
            r"\(LSTM, .*Keras begins with a state of zeros",
        ),
    ],
)
def test_what_keras_cannot_say_is_refused_by_node(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UnsupportedModel, match=message):
        emit(parse(text), tmp_path / "net.keras")
    assert not list(tmp_path.iterdir())


@pytest.mark.long
@pytest.mark.parametrize("name", ["MobileNetV2", "EfficientNetB0", "ConvNeXtTiny", "ResNet50V2", "DenseNet121"])
def test_networks_of_keras_applications(keras: Any, tmp_path: Path, name: str) -> None:
    from applications import blotches
    from applications import build as build_application

    original = build_application(name, size=64)
    low, high = (-1.0, 1.0) if name in ("MobileNetV2", "ResNet50V2", "DenseNet121") else (0.0, 255.0)
    images = blotches(2, 64, 64, low=low, high=high, seed=1)
    onnxpress.convert(original, out=tmp_path / "net.keras")
    loaded = keras.saving.load_model(tmp_path / "net.keras")
    expected = original(images, training=False).numpy()
    assert np.abs(loaded(images, training=False).numpy() - expected).max() <= 1e-5 * np.abs(expected).max()
    assert not {"Permute", "Transpose"} & set(operations(loaded))


def test_ends_of_a_clip_go_into_the_file(keras: Any, tmp_path: Path) -> None:
    model = parse("""agraph (float[N,5] x) => (float[N,5] y) <float low = {-0.25}, float high = {0.75}> {
        c = Clip(x, low, high) h = HardSigmoid(x) y = Add(c, h) }""")
    agree(model, tmp_path / "model.keras", keras)
