from __future__ import annotations

from typing import Any


def test_a_hard_swish_after_a_convolution_without_bias_leaves_one_transpose(agree: Any, keras: Any) -> None:
    layers = keras.layers
    x = image = keras.Input((8, 8, 3), name="image")
    for index in range(3):
        x = layers.Conv2D(4, 3, padding="same", use_bias=False, name=f"conv_{index}")(x)
        x = layers.Multiply(name=f"swish_{index}")([x, layers.ReLU(6)(x + 3.0) * (1 / 6)])
    model = agree(keras.Model(image, layers.GlobalAveragePooling2D(name="pooled")(x)))
    assert [node.op_type for node in model.graph].count("Transpose") == 1
