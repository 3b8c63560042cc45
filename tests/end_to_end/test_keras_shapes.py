"""What attention, einsums, reshapes and upsampling of Keras 3 compute at run time is known before, but for the batch.

These tests import TensorFlow.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from onnxpress.testing import apply, assert_equivalent
from onnxpress_frontends import tensorflow_source
from onnxpress_plugins.cleaning.clean_up import CLEAN_UP

INTEGERS = (ir.DataType.INT64, ir.DataType.INT32)


@pytest.fixture(scope="module")
def keras() -> Any:
    import keras

    keras.utils.set_random_seed(0)
    return keras


def clean(model: Any) -> ir.Model:
    """Convert and tidy; the outputs must be the same for any batch."""
    before = tensorflow_source.load(model)
    after, _ = apply(CLEAN_UP, before)
    (port,) = before.graph.inputs
    for batch in (1, 3):
        shape = [size if isinstance(size, int) else batch for size in port.shape or ()]
        feeds = {port.name or "": np.random.default_rng(batch).normal(size=shape).astype(np.float32)}
        assert_equivalent(before, after, feeds, rtol=1e-5, atol=1e-6)  # pooling adds in another order
    return after


def computed(model: ir.Model) -> list[str]:
    """The operators that compute with integers: shapes, since these models have no integers otherwise."""
    return [node.op_type for node in model.graph.all_nodes() if node.outputs[0].dtype in INTEGERS]


def attention(keras: Any, x: Any, **options: Any) -> Any:
    return keras.layers.MultiHeadAttention(2, 4)(x, x, **options)


def transformer(keras: Any, x: Any) -> Any:
    """A small vision transformer: patches, positions, attention, a perceptron, all normalised."""
    layers = keras.layers
    x = layers.Reshape((4, 8))(layers.Conv2D(8, 4, strides=4)(x))
    x = x + layers.Embedding(4, 8)(np.arange(4)[None])
    x = layers.Add()([x, attention(keras, layers.LayerNormalization()(x))])
    hidden = layers.Dense(16, activation="relu")(layers.LayerNormalization()(x))
    x = layers.Add()([x, layers.Dense(8)(hidden)])
    return layers.Dense(3)(layers.GlobalAveragePooling1D()(x))


LAYERS: dict[str, tuple[tuple[int, ...], Callable[[Any, Any], Any]]] = {
    "attention": ((6, 8), attention),
    "causal attention": ((6, 8), lambda keras, x: attention(keras, x, use_causal_mask=True)),
    "grouped queries": ((6, 8), lambda keras, x: keras.layers.GroupQueryAttention(4, 4, 2)(x, x)),
    "vision transformer": ((8, 8, 3), transformer),
    "EinsumDense": (
        (6, 8),
        lambda keras, x: keras.layers.EinsumDense("abc,cde->abde", output_shape=(None, 4, 2), bias_axes="de")(x),
    ),
    "Dense of three axes": ((6, 8), lambda keras, x: keras.layers.Dense(5)(x)),
    "GroupNormalization": ((4, 4, 8), lambda keras, x: keras.layers.GroupNormalization(2)(x)),
    "nearest neighbours": ((4, 3, 2), lambda keras, x: keras.layers.UpSampling2D(2)(x)),
    "bilinear": ((4, 3, 2), lambda keras, x: keras.layers.UpSampling2D(2, interpolation="bilinear")(x)),
    "Reshape": ((6, 8), lambda keras, x: keras.layers.Reshape((-1, 4, 2))(x)),
}


@pytest.mark.parametrize(("shape", "layer"), LAYERS.values(), ids=LAYERS)
def test_only_the_batch_is_open(keras: Any, shape: tuple[int, ...], layer: Callable[[Any, Any], Any]) -> None:
    image = keras.Input(shape, name="x")
    after = clean(keras.Model(image, layer(keras, image)))
    assert computed(after) == []


@pytest.mark.long  # tf2onnx takes twenty seconds of CPU to order the seven axes of this einsum
def test_attention_over_two_axes(keras: Any) -> None:
    image = keras.Input((3, 2, 8), name="x")
    attended = keras.layers.MultiHeadAttention(2, 4, attention_axes=(1, 2))(image, image)
    assert computed(clean(keras.Model(image, attended))) == []


def test_a_fixed_batch_gives_the_same_graph(keras: Any) -> None:
    opened, fixed = keras.Input((6, 8), name="x"), keras.Input((6, 8), batch_size=2, name="x")
    ops = [[node.op_type for node in clean(keras.Model(x, attention(keras, x))).graph] for x in (opened, fixed)]
    assert ops[0] == ops[1]


def test_two_open_sizes_where_the_input_has_both(keras: Any) -> None:
    sequence = keras.Input((None, 8), name="x")
    after = clean(keras.Model(sequence, keras.layers.Reshape((-1, 4, 2))(sequence)))
    (reshape,) = after.graph
    assert reshape.inputs[1].const_value.numpy().tolist() == [0, 0, 4, 2]  # type: ignore[union-attr]


def test_images_of_any_size(keras: Any) -> None:
    image = keras.Input((None, None, 2), name="x")
    after = clean(keras.Model(image, keras.layers.UpSampling2D((2, 3))(image)))
    assert [node.op_type for node in after.graph] == ["Resize"]
