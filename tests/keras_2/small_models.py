"""How ``small_models.json`` was made: models of Keras 2.15 with its own configuration, weight names and outputs.

Not a test; it needs Keras 2: ``pip install tensorflow-cpu==2.15.1 && python small_models.py``.  The values of the
weights and inputs are not recorded, as `array` makes them anew from their names; one-argument layers are recorded by
their configuration alone.
"""

from __future__ import annotations

import inspect
import json
import os
import tempfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

RECORD = Path(__file__).with_suffix(".json")


def array(name: str, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """The array that goes by `name`: between 0.2 and 1.2 where it is a vector, else between -0.7 and 0.7."""
    generator = np.random.RandomState(zlib.crc32(name.encode()))
    if np.dtype(dtype).kind != "f":
        return generator.randint(1, 10, shape).astype(dtype)
    low, high = (0.2, 1.2) if len(shape) < 2 else (-0.7, 0.7)
    return generator.uniform(low, high, shape).astype(dtype)


def fill(group: Any) -> None:
    """Give every weight of a group ``model_weights`` the array of its name."""
    for layer in group.attrs["layer_names"]:
        for name in group[layer].attrs["weight_names"]:
            text = name if isinstance(name, str) else name.decode()
            weight = group[layer][name]
            weight[...] = array(text, weight.shape, weight.dtype.str)


def _models(tf: Any) -> dict[str, Any]:
    from keras.src.applications.convnext import LayerScale

    keras = tf.keras
    layers, new, model = keras.layers, keras.Input, keras.Model
    recorded = {}

    def inner(name: str, *, trainable: bool = True, thawed: bool | None = None) -> Any:
        x = new((6,), name=f"{name}_in")
        y = layers.Dense(6, name=f"{name}_dense")(x)
        y = layers.BatchNormalization(name=f"{name}_bn1")(y)
        nested = model(x, layers.BatchNormalization(name=f"{name}_bn2")(y), name=name)
        nested.trainable = trainable
        if thawed is not None:
            nested.get_layer(f"{name}_bn1").trainable = thawed
        return nested

    x = new((8, 8, 3), name="image")
    y = layers.Conv2D(4, 3, padding="same", use_bias=False)(x)
    y = layers.ReLU(6.0)(layers.BatchNormalization()(y))
    y = layers.DepthwiseConv2D(3, strides=2, padding="same", depth_multiplier=2)(y)
    y = layers.GlobalAveragePooling2D(keepdims=True)(layers.SeparableConv2D(5, 3)(y))
    recorded["convolutions"] = model(x, layers.Dense(3, activation="softmax", name="scores")(layers.Flatten()(y)))

    stack = [layers.Conv2D(3, 3, input_shape=(6, 6, 2)), layers.Dropout(0.3), layers.Flatten()]
    recorded["sequential with a hard sigmoid"] = keras.Sequential([*stack, layers.Dense(3, activation="hard_sigmoid")])

    x = new((6, 6, 3), name="image")
    y = 2 * (x / 255.0 - 0.5) + 1
    z = layers.Conv2D(4, 3, padding="same")(y)
    z = tf.concat([z * tf.nn.relu6(z), y], axis=-1)[:, 1:-1, ::2, :3]
    z = tf.reshape(z - tf.reduce_mean(z, axis=[1, 2], keepdims=True), (-1, 4 * 3 * 3))
    recorded["functions of TensorFlow"] = model(x, layers.Dense(2)(1.0 - z))

    x = new((4, 6), name="x")
    a, b = tf.split(layers.Dense(6)(x), 2, axis=-1)
    y = tf.squeeze(tf.expand_dims(tf.transpose(tf.nn.softmax(tf.matmul(a, b, transpose_b=True)), [0, 2, 1]), -1), -1)
    y = tf.stack([y, y + 0 * tf.cast(tf.shape(y)[0], tf.float32)], axis=1)[:, 0, ..., tf.newaxis][..., 0]
    y = tf.maximum(tf.pad(y, [[0, 0], [1, 0], [0, 1]]), 0.1)
    recorded["more functions"] = model(x, [tf.where(y > 0.2, y, -y), tf.clip_by_value(tf.math.sqrt(y), 0.4, 0.5)])

    x = new((4, 3), name="x")
    one = [tf.stack([x], axis=1), tf.concat([x, tf.ones((1, 4, 2)) * tf.ones_like(x[:, :, :1])], -1)]
    recorded["lists of one and of constants"] = model(x, one)

    x = new((6,), name="x")
    for name, options in {
        "a frozen model inside": {"trainable": False},
        "a model inside with a frozen layer": {"thawed": False},
        "a frozen model inside with a thawed layer": {"trainable": False, "thawed": True},
    }.items():
        recorded[name] = model(x, layers.Dense(2)(inner("base", **options)(x)))

    left, right, shared = new((6,), name="left"), new((6,), name="right"), layers.Dense(4, name="shared")
    tower = inner("tower")
    towers = [shared(tower(left)), shared(tower(right))]
    recorded["a model called twice"] = model([left, right], layers.Dot(-1, normalize=True)(towers))
    for name, first in (("a sequential called twice", [new((6,))]), ("a sequential without an input", [])):
        tower = keras.Sequential(
            [*first, layers.Dense(4, activation="tanh"), layers.BatchNormalization()], name="tower"
        )
        recorded[name] = model([left, right], layers.Subtract()([tower(left), tower(right)]))
    head = keras.Sequential([layers.Dense(2)], name="head")
    recorded["models in a sequential"] = keras.Sequential([inner("base", trainable=False), layers.ReLU(), head])
    recorded["the output of a model inside"] = model(x, [inner("base")(x), layers.Dense(2)(x)])
    middle = keras.Sequential([new((6,)), inner("base", trainable=False), layers.Dense(6)], name="middle")
    recorded["a model in a model in a model"] = model(x, middle(middle(x)))

    x = new((5, 4), name="x")
    y = layers.Bidirectional(layers.GRU(3, return_sequences=True))(layers.LSTM(4, return_sequences=True)(x))
    y = layers.TimeDistributed(layers.Dense(4))(layers.SimpleRNN(3, return_sequences=True)(y))
    old = {"recurrent_activation": "hard_sigmoid"}
    ends = [layers.GRU(3, reset_after=False, **old)(y), layers.LSTM(3, go_backwards=True, unroll=True, **old)(y)]
    recorded["recurrent layers"] = model(x, ends)
    y, *state = layers.LSTM(4, return_state=True)(x)
    recorded["a state handed on"] = model(x, layers.Concatenate()([y, layers.LSTM(4)(x, initial_state=state)]))
    recorded["cells"] = model(x, layers.RNN([layers.LSTMCell(4), layers.GRUCell(3, **old)])(x))
    recorded["time first"] = model(x, layers.LSTM(3, time_major=True, return_sequences=True)(x))

    x = new((4, 6), name="x")
    y = layers.MultiHeadAttention(2, 3)(layers.Dense(6)(x), x)
    y = layers.Attention()([layers.LayerNormalization(axis=[1, 2])(y + x), x])
    y = LayerScale(1e-6, 6, name="scale")(y)
    recorded["attention"] = model(x, layers.Dense(3, activation="gelu")(layers.LayerNormalization()(y)))

    x = new((6,), dtype="int32", name="tokens")
    recorded["embedding"] = model(x, layers.Conv1D(3, 3, padding="causal")(layers.Embedding(11, 4, input_length=6)(x)))

    x = new((5,), name="x")
    activations = [layers.LeakyReLU(alpha=0.17), layers.PReLU(), layers.ELU(0.7), layers.Softmax()]
    activations += [layers.ThresholdedReLU(0.3), layers.ReLU(1.0, 0.1, 0.2)]
    names = ("swish", "gelu", "hard_sigmoid", "selu", "softplus", "mish", "relu6", "leaky_relu", tf.nn.relu6)
    activations += [layers.Activation(name) for name in names]
    recorded["activations"] = model(x, layers.Concatenate()([layer(x) for layer in activations]))

    x = new((8, 9, 3), name="image")
    y = layers.RandomFlip()(layers.Rescaling(1 / 127.5, -1)(x))
    y = layers.RandomWidth(0.2)(layers.RandomHeight(0.2)(layers.RandomRotation(0.1)(layers.RandomZoom(0.1)(y))))
    y = layers.CenterCrop(9, 9)(layers.Resizing(12, 10)(layers.RandomBrightness(0.1)(layers.RandomContrast(0.1)(y))))
    y = layers.Normalization(mean=[1, 2, 3.0], variance=[2, 3, 4.0])(layers.Normalization()(y))
    recorded["preprocessing"] = model(x, layers.RandomCrop(6, 8)(y))

    x = new((4, 5, 3), name="image")
    y = layers.UpSampling2D(2, interpolation="bilinear")(layers.Conv2DTranspose(4, 3, strides=2, padding="same")(x))
    y = layers.ZeroPadding2D(((0, 1), (0, 1)))(layers.Cropping2D(1)(y))
    y = layers.AveragePooling2D(2)(layers.AlphaDropout(0.1)(layers.GaussianNoise(0.1)(layers.SpatialDropout2D(0.2)(y))))
    recorded["resampling"] = model(x, layers.Conv2D(1, 3)(layers.UpSampling2D()(y)))

    a, b = new((4, 3), name="a"), new((4, 3), name="b")
    kinds = (layers.Add, layers.Subtract, layers.Multiply, layers.Maximum, layers.Minimum, layers.Average)
    sums = layers.Concatenate()([kind()([a, b]) for kind in kinds])
    recorded["dictionaries"] = model({"a": a, "b": b}, {"z": sums, "y": layers.Permute((2, 1))(a)})

    x = new((6, 6, 2), name="image")
    y = layers.BatchNormalization(name="block/norm")(layers.Conv2D(4, 3, name="block/conv")(x))
    recorded["slashes in names"] = model(x, layers.ReLU(name="block/relu")(y))
    recorded["axes"] = model(x, layers.UnitNormalization(axis=[1, 2])(layers.BatchNormalization(axis=1)(x)))
    y = layers.BatchNormalization(synchronized=True)(layers.BatchNormalization(renorm=True)(x))
    trained = {"kernel_regularizer": "l2", "kernel_constraint": "max_norm", "activity_regularizer": "l1"}
    recorded["arguments of training"] = model(x, layers.Dense(3, **trained)(y))
    return recorded


def _layers(keras: Any) -> list[dict[str, Any]]:
    """The configuration of every layer that can be made of a few small arguments."""
    recorded = []
    for name, kind in sorted(inspect.getmembers(keras.layers, inspect.isclass)):
        if kind.__name__ != name or not issubclass(kind, keras.layers.Layer):
            continue
        rate = name.startswith(("Alpha", "Gaussian", "Dropout", "Spatial", "Random"))
        for arguments in ((0.1,) if rate else (), (2,), (2, 3), ((2,),), (keras.layers.LSTM(2),)):
            try:
                config = kind(*arguments).get_config()
            except (TypeError, ValueError, AttributeError, ImportError):
                continue
            recorded.append({"class_name": name, "config": config})
            break
    return recorded


def _plain(item: Any) -> Any:
    """What JSON cannot write: numbers of numpy, and objects as Keras writes them."""
    if hasattr(item, "tolist"):
        return item.tolist()
    return {"class_name": type(item).__name__, "config": item.get_config()}


def main() -> None:
    """Write the record."""
    os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", TF_ENABLE_ONEDNN_OPTS="0", CUDA_VISIBLE_DEVICES="-1")
    import h5py
    import tensorflow as tf
    from keras.src.applications.convnext import LayerScale

    models = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.h5"
        for title, model in _models(tf).items():
            model.save(path)
            with h5py.File(path, "r+") as file:
                fill(file["model_weights"])
                config = json.loads(file.attrs["model_config"])
                groups = file["model_weights"]
                weights = {
                    layer: {name: groups[layer][name].shape for name in groups[layer].attrs["weight_names"]}
                    for layer in groups.attrs["layer_names"]
                }
            with tf.keras.utils.custom_object_scope({"LayerScale": LayerScale}):
                loaded = tf.keras.models.load_model(path)
            feeds = {
                tensor.name: array(tensor.name, (2, *tensor.shape[1:]), tensor.dtype.name) for tensor in loaded.inputs
            }
            values = list(feeds.values()) if len(feeds) > 1 else next(iter(feeds.values()))
            outputs = loaded(feeds if isinstance(loaded.input, dict) else values, training=False)
            flat = [np.round(output.numpy().astype(float), 7).tolist() for output in tf.nest.flatten(outputs)]
            models[title] = {
                "config": config,
                "weights": weights,
                "feeds": {n: v.shape for n, v in feeds.items()},
                "outputs": flat,
            }
    text = json.dumps({"models": models, "layers": _layers(tf.keras)}, default=_plain, separators=(",", ":"))
    RECORD.write_text(text.replace('},"', '},\n"') + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
