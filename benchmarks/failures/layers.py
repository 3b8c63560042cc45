"""Keras models, small, each with one thing that is in many networks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from failures.case import Case, Sample, by_command, from_keras, of_keras
from failures.judging import nodes, number_of

Build = Callable[[Any, Any], Any]
"""From ``keras.layers`` and a symbolic input to the output."""


def _layers(build: Build, *shape: int) -> Callable[[Path], Sample]:
    def make(_: Path) -> Sample:
        import keras

        image = keras.Input(shape, name="image")
        return of_keras(keras.Model(image, build(keras.layers, image)), 2, *shape)

    return make


def _convnext(layers: Any, x: Any) -> Any:
    y = layers.LayerNormalization(epsilon=1e-6)(layers.Conv2D(8, 7, padding="same", groups=8)(x))
    return x + layers.Dense(8)(layers.Activation("gelu")(layers.Dense(32)(y)))


def _squeeze_excite(layers: Any, x: Any) -> Any:
    y = layers.Conv2D(8, 3, activation="relu", padding="same")(x)
    gate = layers.GlobalAveragePooling2D(keepdims=True)(y)
    gate = layers.Conv2D(8, 1, activation="sigmoid")(layers.Conv2D(4, 1, activation="relu")(gate))
    return layers.Dense(5)(layers.GlobalAveragePooling2D()(layers.Conv2D(8, 1)(y * gate)))


def _split(layers: Any, x: Any) -> Any:
    from keras import ops

    return layers.Concatenate()([layers.Conv2D(2, 3)(part) for part in ops.split(x, 4, axis=-1)])


def _sequential(_: Path) -> Sample:
    import keras

    layers = keras.layers
    return of_keras(keras.Sequential([keras.Input((4,)), layers.Dense(6, "relu"), layers.Dense(3)]), 2, 4)


def _dictionary(_: Path) -> Sample:
    import keras

    x = keras.Input((4,))
    ends = {"boxes": keras.layers.Dense(3, name="first")(x), "scores": keras.layers.Dense(2, name="second")(x)}
    return of_keras(keras.Model(x, ends), 2, 4)


def _mobilenet(_: Path) -> Sample:
    from applications import blotches, build, pixel_range

    name = "MobileNetV3Small"
    low, high = pixel_range(name)
    model = build(name, size=96)
    feed = blotches(1, 96, 96, low=low, high=high, seed=1)
    return Sample(source=model, stock=from_keras(model), feeds=[feed], expected=[model(feed, training=False).numpy()])


def _keras_file(folder: Path) -> Sample:
    import keras

    x, path = keras.Input((4,), name="image"), folder / "model.keras"
    model = keras.Model(x, keras.layers.Dense(3, name="scores")(x))
    sample = of_keras(model, 2, 4)
    model.save(path)
    return Sample(source=path, stock=by_command("--keras", path), feeds=sample.feeds, expected=sample.expected)


def _keras_2(folder: Path) -> Sample:
    import h5py
    import keras

    layers, path = keras.layers, folder / "model.h5"
    model = keras.Sequential([keras.Input((8, 8, 3)), layers.DepthwiseConv2D(3), layers.GlobalAveragePooling2D()])
    sample = of_keras(model, 2, 8, 8, 3)
    model.save(path)
    with h5py.File(path, "r+") as file:
        config = file.attrs["model_config"]
        file.attrs["model_config"] = config.replace('"depth_multiplier"', '"groups": 1, "depth_multiplier"')
        file.attrs["keras_version"] = "2.15.0"
    return Sample(source=path, stock=by_command("--keras", path), feeds=sample.feeds, expected=sample.expected)


def _grouped(model: Any) -> int:
    return sum(
        attribute.name == "group" and attribute.i > 1 for node in nodes(model.graph) for attribute in node.attribute
    )


def _named(*names: str) -> Callable[[Any], int]:
    return lambda model: sum(end.name in names for end in (*model.graph.input, *model.graph.output))


def _nameless(model: Any) -> int:
    ends = (*model.graph.input, *model.graph.output)
    return sum("unk" in size.dim_param for end in ends for size in end.type.tensor_type.shape.dim)


def _counting(name: str, make: Callable[[Path], Sample], operator: str, wanted: int) -> Case:
    return Case(name=name, make=make, counted=operator, count=number_of(operator), wanted=wanted)


CASES = (
    Case(
        name="Conv2D with groups",
        make=_layers(lambda layers, x: layers.Conv2D(8, 3, groups=4)(x), 8, 8, 8),
        counted="grouped Conv",
        count=_grouped,
        wanted=1,
    ),
    Case(
        name="Split, Conv2D of each part, Concat",
        make=_layers(_split, 8, 8, 8),
        counted="grouped Conv",
        count=_grouped,
        wanted=1,
    ),
    Case(name="ConvNeXt block", make=_layers(_convnext, 8, 8, 8)),
    Case(name="GELU, exact", make=_layers(lambda layers, x: layers.Dense(3, "gelu")(x), 4)),
    Case(name="Sequential", make=_sequential),
    Case(
        name="dictionary of outputs",
        make=_dictionary,
        counted="outputs called as their key",
        count=_named("boxes", "scores"),
        wanted=2,
    ),
    Case(
        name=".keras file",
        make=_keras_file,
        counted="ends called as their layer",
        count=_named("image", "scores"),
        wanted=2,
    ),
    Case(
        name="any batch size",
        make=_layers(lambda layers, x: layers.Dense(3)(x), 4),
        counted="dimensions called unk__1 and so on",
        count=_nameless,
        wanted=0,
    ),
    _counting("MobileNetV3Small", _mobilenet, "Transpose", 1),
    _counting("squeeze and excite", _layers(_squeeze_excite, 8, 8, 3), "Transpose", 1),
    _counting(
        "LayerNormalization", _layers(lambda layers, x: layers.LayerNormalization()(x), 8), "LayerNormalization", 1
    ),
    _counting("GRU", _layers(lambda layers, x: layers.GRU(4)(x), 5, 3), "GRU", 1),
    _counting("LSTM", _layers(lambda layers, x: layers.LSTM(4)(x), 5, 3), "LSTM", 1),
    _counting(
        "MultiHeadAttention, any batch size",
        _layers(lambda layers, x: layers.MultiHeadAttention(2, 4)(x, x), 5, 8),
        "Shape",
        0,
    ),
    _counting("UpSampling2D, nearest", _layers(lambda layers, x: layers.UpSampling2D(2)(x), 4, 4, 3), "Resize", 1),
    Case(name="DepthwiseConv2D in an .h5 of Keras 2", make=_keras_2),
)
