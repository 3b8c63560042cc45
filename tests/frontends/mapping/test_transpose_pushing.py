from __future__ import annotations

from typing import Any

from calibrated import numbers
from onnxpress.kinds import WARNINGS_KEY


def test_a_hard_swish_after_a_convolution_without_bias_leaves_one_transpose(agree: Any, keras: Any) -> None:
    layers = keras.layers
    x = image = keras.Input((8, 8, 3), name="image")
    for index in range(3):
        x = layers.Conv2D(4, 3, padding="same", use_bias=False, name=f"conv_{index}")(x)
        x = layers.Multiply(name=f"swish_{index}")([x, layers.ReLU(6)(x + 3.0) * (1 / 6)])
    model = agree(keras.Model(image, layers.GlobalAveragePooling2D(name="pooled")(x)))
    assert [node.op_type for node in model.graph].count("Transpose") == 1


def test_a_convolution_that_takes_a_sum_in_keeps_its_name(agree: Any, tf: Any) -> None:
    @tf.function(input_signature=[tf.TensorSpec((None, 8, 8, 4), name="x")])
    def drawn(value: Any) -> Any:
        for number, name in enumerate(("first", "second"), 1):
            value = tf.nn.conv2d(value, numbers(3, 3, 4, 4) * number, 1, "SAME", name=name)
            value = tf.nn.relu(tf.raw_ops.AddV2(x=value, y=numbers(4)))
        return tf.reduce_sum(value, [1, 2])

    model = agree(drawn)
    convolutions = [node for node in model.graph if node.op_type == "Conv"]
    assert [(node.name, len(node.inputs)) for node in convolutions] == [("first", 3), ("second", 3)]
    assert not model.meta.get(WARNINGS_KEY)
