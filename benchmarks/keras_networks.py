"""Small Keras networks, one of each kind that people have, with a value of its own for every variable."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np


def settled(model: Any) -> Any:
    """The model with random weights, scales and variances above zero."""
    generator = np.random.default_rng(1)
    values = []
    for variable in model.weights:
        low, high = (0.3, 1.2) if variable.path.endswith(("variance", "gamma")) else (-0.6, 0.6)
        is_state = variable.path.endswith("seed_generator_state")
        values.append(variable.numpy() if is_state else generator.uniform(low, high, variable.shape))
    model.set_weights(values)
    return model


def images(keras: Any) -> Any:
    """Convolutions of every kind, activations, norms, squeeze and excite, pooling, padding, resizing, dropout."""
    layers = keras.layers
    x = image = keras.Input((16, 16, 3), name="image")
    x = layers.ZeroPadding2D(((1, 2), (0, 1)))(layers.Rescaling(0.5, offset=0.1)(x))
    x = layers.BatchNormalization()(layers.Conv2D(8, 3, strides=2, activation="relu")(x))
    x = layers.PReLU(shared_axes=[1, 2])(x)
    x = layers.Conv2D(8, 3, padding="same", dilation_rate=2, activation="swish")(x)
    x = layers.Conv2D(8, 3, padding="same", groups=2, activation="elu")(x)
    x = layers.LeakyReLU(0.1)(layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2)(x))
    x = layers.SeparableConv2D(8, 3, padding="same", activation="gelu")(x)
    squeezed = layers.Conv2D(2, 1, activation="relu")(layers.GlobalAveragePooling2D(keepdims=True)(x))
    x = layers.Multiply()([x, layers.Conv2D(8, 1, activation="hard_sigmoid")(squeezed)])
    x = layers.SpatialDropout2D(0.2)(layers.GroupNormalization(4)(x))
    x = layers.LayerNormalization()(layers.Conv2DTranspose(6, 3, strides=2, padding="same")(x))
    pools = (layers.MaxPooling2D, layers.AveragePooling2D)
    x = layers.Concatenate()([pool(3, strides=2, padding="same")(x) for pool in pools])
    x = layers.UpSampling2D(2, interpolation="bilinear")(layers.UpSampling2D(2)(x))
    x = layers.UnitNormalization()(layers.Conv2D(4, 1, activation="softplus")(layers.Cropping2D(3)(x)))
    flat = layers.Dropout(0.3)(layers.Flatten()(layers.AveragePooling2D(4)(x)))
    x = layers.Concatenate()([layers.GlobalMaxPooling2D()(x), layers.Dense(5, activation="tanh")(flat)])
    return settled(keras.Model(image, layers.Dense(4, activation="softmax", name="scores")(x)))


def signals(keras: Any) -> Any:
    """One spatial axis."""
    layers = keras.layers
    x = signal = keras.Input((20, 4), name="signal")
    x = layers.Conv1D(6, 3, padding="causal", dilation_rate=2, activation="relu")(layers.ZeroPadding1D(2)(x))
    x = layers.BatchNormalization()(layers.SeparableConv1D(6, 3, padding="same")(x))
    x = layers.MaxPooling1D(2)(layers.DepthwiseConv1D(3, padding="same")(x))
    x = layers.UpSampling1D(2)(layers.Conv1DTranspose(5, 3, strides=2, padding="same")(x))
    x = layers.GlobalAveragePooling1D()(layers.Cropping1D(1)(layers.AveragePooling1D(2)(x)))
    return settled(keras.Model(signal, layers.Dense(3, name="scores")(x)))


def volumes(keras: Any) -> Any:
    """Three spatial axes."""
    layers = keras.layers
    x = volume = keras.Input((6, 8, 8, 2), name="volume")
    x = layers.BatchNormalization()(layers.Conv3D(4, 3, activation="relu")(layers.ZeroPadding3D(1)(x)))
    x = layers.Conv3DTranspose(3, 3, strides=2, padding="same")(layers.MaxPooling3D(2)(x))
    x = layers.GlobalAveragePooling3D()(layers.UpSampling3D(2)(layers.AveragePooling3D(2)(x)))
    return settled(keras.Model(volume, layers.Dense(3, name="scores")(x)))


def any_images(keras: Any) -> Any:
    """Height and width are open; three outputs, of which one is the way to another."""
    layers = keras.layers
    image = keras.Input((None, None, 3), name="image")
    x = layers.BatchNormalization()(layers.Conv2D(8, 3, strides=2, padding="same", activation="relu")(image))
    y = layers.SeparableConv2D(8, 3, padding="same")(layers.MaxPooling2D(2, padding="same")(x))
    scores = layers.Dense(3)(layers.GlobalAveragePooling2D()(y))
    mask = layers.Conv2D(4, 1, activation="sigmoid")(layers.UpSampling2D(2)(x))
    return settled(keras.Model(image, {"mask": mask, "features": y, "scores": scores}))


def encoder(
    keras: Any, *, length: int = 12, width: int = 16, heads: int = 2, words: int = 50, depth: int = 2, middle: int = 64
) -> Any:
    """A transformer: words and their positions embedded, attention under a mask that is an input."""
    layers = keras.layers
    tokens = keras.Input((length,), dtype="int32", name="tokens")
    mask = keras.Input((length,), dtype="bool", name="mask")
    x = layers.Embedding(words, width)(tokens) + layers.Embedding(length, width)(keras.ops.arange(length))
    for _ in range(depth):
        y = layers.LayerNormalization()(x)
        y = layers.MultiHeadAttention(heads, width // heads, dropout=0.1)(y, y, attention_mask=mask[:, None])
        x = x + layers.Dropout(0.1)(y)
        x = x + layers.Dense(width)(layers.Dense(middle, activation="gelu")(layers.LayerNormalization()(x)))
    x = layers.GlobalAveragePooling1D()(x)
    return settled(keras.Model([tokens, mask], layers.Dense(3, name="scores")(x)))


def attention(keras: Any) -> Any:
    """Attention in texts of any length, masked where they hold no word."""
    layers = keras.layers
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    x = layers.Embedding(20, 8, mask_zero=True)(tokens)
    x = layers.GlobalAveragePooling1D()(layers.MultiHeadAttention(2, 4)(x, x, use_causal_mask=True))
    return settled(keras.Model(tokens, layers.Dense(3, name="scores")(x)))


def texts(keras: Any, *, words: int = 20, width: int = 8, units: int = 4) -> Any:
    """Words through LSTMs of both directions, then a GRU."""
    layers = keras.layers
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    x = layers.Bidirectional(layers.LSTM(units, return_sequences=True))(layers.Embedding(words, width)(tokens))
    return settled(keras.Model(tokens, layers.Dense(3, name="scores")(layers.GRU(units)(x))))


def masked_texts(keras: Any) -> Any:
    """LSTMs of both directions that pass over what is no word."""
    layers = keras.layers
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    x = layers.Bidirectional(layers.LSTM(4))(layers.Embedding(20, 8, mask_zero=True)(tokens))
    return settled(keras.Model(tokens, layers.Dense(3, name="scores")(x)))


def states(keras: Any) -> Any:
    """An LSTM whose state comes from outside and is given back."""
    x, hidden, cell = keras.Input((None, 5), name="x"), keras.Input((4,), name="hidden"), keras.Input((4,), name="cell")
    layer = keras.layers.LSTM(4, return_sequences=True, return_state=True)
    results = layer(x, initial_state=[hidden, cell])
    return settled(keras.Model([x, hidden, cell], dict(zip(("y", "hidden_after", "cell_after"), results, strict=True))))


def films(keras: Any) -> Any:
    """A ConvLSTM."""
    x = film = keras.Input((4, 8, 8, 3), name="film")
    x = keras.layers.ConvLSTM2D(8, 3, padding="same")(x)
    return settled(keras.Model(film, keras.layers.GlobalAveragePooling2D(name="scores")(x)))


def two_ended(keras: Any) -> Any:
    """Two inputs and, in a dictionary, three outputs, of which one is the way to another; orders are not sorted."""
    layers = keras.layers
    image, facts = keras.Input((8, 8, 3), name="image"), keras.Input((3,), name="facts")
    features = layers.Conv2D(4, 3)(image)
    means = layers.GlobalAveragePooling2D()(features)
    scores = layers.Dense(2)(layers.Concatenate()([means, facts]))
    return settled(keras.Model([image, facts], {"scores": scores, "features": features, "means": means}))


def halves(keras: Any) -> Any:
    """Numbers of 16 bits inside."""
    layers = keras.layers
    policy = "mixed_float16"
    x = image = keras.Input((16, 16, 3), name="image")
    x = layers.BatchNormalization(dtype=policy)(layers.Conv2D(8, 3, activation="relu", dtype=policy)(x))
    x = layers.GlobalAveragePooling2D(dtype=policy)(layers.DepthwiseConv2D(3, padding="same", dtype=policy)(x))
    return settled(keras.Model(image, layers.Dense(3, name="scores")(x)))


NETWORKS: Mapping[str, Callable[[Any], Any]] = {
    build.__name__: build
    for build in (
        images,
        signals,
        volumes,
        any_images,
        encoder,
        attention,
        texts,
        masked_texts,
        states,
        films,
        two_ended,
        halves,
    )
}
