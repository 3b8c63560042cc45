from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from onnxpress.errors import InvalidOption, UnsupportedModel
from onnxpress.runtime import Session
from onnxpress_frontends.tensorflow_source import load, reference


def shapes(values: Any) -> dict[str, list[int | str | None]]:
    return {value.name: [size if isinstance(size, int) else size.value for size in value.shape] for value in values}


def op_types(model: ir.Model) -> list[str]:
    return [node.op_type for node in model.graph]


def test_a_cnn_keeps_its_names_its_layout_and_a_dynamic_batch(agree: Any, cnn: Any) -> None:
    model = agree(cnn)
    assert shapes(model.graph.inputs) == {"image": ["N", 16, 16, 3]}
    assert shapes(model.graph.outputs) == {"scores": ["N", 5]}
    assert model.opset_imports[""] == 17
    assert model.graph.name == "cnn"
    assert op_types(model).count("Transpose") == 1
    assert "GlobalAveragePool" in op_types(model)


def test_inner_names_are_those_of_the_layers_without_counters(cnn: Any) -> None:
    names = [value.name for node in load(cnn).graph for value in (node, *node.outputs)]
    assert any("depthwise" in str(name) for name in names)
    assert not [name for name in names if "__" in str(name) or ":" in str(name) or str(name).startswith("cnn")]


def test_sequential(agree: Any, keras: Any) -> None:
    layers = keras.layers
    model = agree(
        keras.Sequential(
            [
                keras.Input((8, 8, 3), name="pixels"),
                layers.Conv2D(4, 3),
                layers.BatchNormalization(),
                layers.MaxPooling2D(),
                layers.Flatten(),
                layers.Dense(2, name="logits"),
            ]
        )
    )
    assert shapes(model.graph.inputs) == {"pixels": ["N", 8, 8, 3]}
    assert shapes(model.graph.outputs) == {"logits": ["N", 2]}


def test_a_sequential_built_by_a_call_forgets_the_size_of_that_batch(agree: Any, keras: Any) -> None:
    model = keras.Sequential([keras.layers.Dense(3, name="logits")])
    model(np.zeros((7, 4), np.float32))
    converted = agree(model)
    assert list(shapes(converted.graph.inputs).values()) == [["N", 4]]
    assert shapes(converted.graph.outputs) == {"logits": ["N", 3]}


def test_several_inputs_and_a_dictionary_of_outputs_in_its_own_order(agree: Any, two_ended: Any) -> None:
    model = agree(two_ended)
    assert shapes(model.graph.inputs) == {"left": ["N", 4], "right": ["N", 3]}
    assert list(shapes(model.graph.outputs).items()) == [("total", ["N", 2]), ("part", ["N", 6])]


def test_lists_in_a_dictionary_of_outputs_are_numbered(agree: Any, keras: Any) -> None:
    x = keras.Input((4,), name="x")
    hidden = keras.layers.Dense(3, name="hidden")(x)
    last = keras.layers.Dense(2, name="last")(hidden)
    model = keras.Model(x, {"boxes": [hidden, last], "aux": {"z": (last,), "a": hidden}})
    assert list(shapes(agree(model).graph.outputs)) == ["boxes_0", "boxes_1", "aux_z_0", "aux_a"]


def test_a_list_of_outputs_is_called_as_its_layers(agree: Any, keras: Any) -> None:
    x = keras.Input((4,), name="x")
    twice = keras.layers.Dense(4, name="twice")
    once = twice(x)
    model = keras.Model(x, [[twice(once), keras.layers.ReLU(name="positive")(x)], once])
    assert list(shapes(agree(model).graph.outputs)) == ["twice", "positive", "twice_1"]


def test_a_dictionary_of_inputs(agree: Any, keras: Any) -> None:
    first, second = keras.Input((4,), name="zulu"), keras.Input((4,), name="alpha")
    model = keras.Model({"zulu": first, "alpha": second}, keras.layers.Subtract(name="difference")([first, second]))
    assert set(shapes(agree(model).graph.inputs)) == {"zulu", "alpha"}


def test_an_input_that_is_also_an_output_gets_a_second_name(agree: Any, keras: Any) -> None:
    x = keras.Input((4,), name="x")
    model = agree(keras.Model(x, [keras.layers.ReLU(name="y")(x), x]))
    assert list(shapes(model.graph.outputs)) == ["y", "x_1"]


def test_other_unknown_dimensions_have_stable_names(agree: Any, keras: Any) -> None:
    image = keras.Input((None, None, 3), name="image")
    model = agree(keras.Model(image, keras.layers.Conv2D(2, 3, strides=2, name="map")(image)))
    assert shapes(model.graph.inputs) == {"image": ["N", "image_dim_1", "image_dim_2", 3]}
    assert shapes(model.graph.outputs) == {"map": ["N", "map_dim_1", "map_dim_2", 2]}


@pytest.mark.parametrize("shape", ["plain", "dictionary"])
def test_subclassed_models_are_named_by_their_call(agree: Any, keras: Any, shape: str) -> None:
    class Plain(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense = keras.layers.Dense(3)

        def call(self, batch: Any) -> Any:
            return self.dense(batch)

    class Dictionary(Plain):
        def call(self, batch: Any) -> Any:
            return {"sum": self.dense(batch["a"]) + self.dense(batch["b"])}

    model, ones = (Plain() if shape == "plain" else Dictionary()), np.ones((2, 4), np.float32)
    model(ones if shape == "plain" else {"a": ones, "b": ones})
    converted = agree(model)
    expected = ({"batch"}, {"output"}) if shape == "plain" else ({"a", "b"}, {"sum"})
    assert (set(shapes(converted.graph.inputs)), set(shapes(converted.graph.outputs))) == expected
    assert all(shape[0] == "N" for shape in shapes(converted.graph.inputs).values())


def test_grouped_convolution_becomes_one_conv(agree: Any, keras: Any) -> None:
    x = keras.Input((8, 8, 4), name="x")
    model = agree(keras.Model(x, keras.layers.Conv2D(6, 3, groups=2, name="grouped")(x)))
    (conv,) = [node for node in model.graph if node.op_type == "Conv"]
    assert conv.attributes["group"].as_int() == 2


def test_exact_gelu_converts(agree: Any, keras: Any) -> None:
    x = keras.Input((6,), name="x")
    gelu = keras.layers.Activation(lambda t: keras.activations.gelu(t, approximate=False), name="gelu")
    assert "Erf" in op_types(agree(keras.Model(x, gelu(x))))


def test_preprocessing_is_part_of_the_model_and_augmentation_is_not(agree: Any, keras: Any) -> None:
    layers = keras.layers
    image = keras.Input((9, 12, 3), name="image")
    x = layers.Normalization(mean=[1.0, 2.0, 3.0], variance=[2.0, 3.0, 4.0])(layers.Rescaling(1 / 127.5, -1)(image))
    for augment in (layers.RandomFlip(), layers.RandomRotation(0.1), layers.RandomZoom(0.1), layers.GaussianNoise(0.1)):
        x = augment(x)
    plain = keras.Model(image, layers.Resizing(18, 24, name="resized")(x))
    assert set(op_types(agree(plain))) <= {"Mul", "Add", "Sub", "Div", "Transpose", "Resize", "Cast", "Identity"}


def test_mixed_precision_computes_in_halves(keras: Any) -> None:
    image = keras.Input((8, 8, 3), name="image")
    x = keras.layers.Conv2D(4, 3, dtype="mixed_float16", name="conv")(image)
    x = keras.layers.GlobalAveragePooling2D(dtype="mixed_float16")(x)
    model = keras.Model(image, keras.layers.Dense(3, dtype="float32", name="scores")(x))
    feeds = {"image": np.random.default_rng(0).standard_normal((2, 8, 8, 3)).astype(np.float32)}
    expected = reference(model).run(feeds)["scores"]
    converted = load(model)
    assert converted.graph.outputs[0].dtype == ir.DataType.FLOAT
    (conv,) = [node for node in converted.graph if node.op_type == "Conv"]
    assert conv.outputs[0].dtype == ir.DataType.FLOAT16
    np.testing.assert_allclose(Session(converted).run(feeds)["scores"], expected, atol=2e-3 * np.abs(expected).max())


def test_channels_first_converts_as_it_is(keras: Any) -> None:
    """TensorFlow cannot run it on a processor; what it means is what the same layer computes with channels last."""
    image = keras.Input((3, 8, 8), name="image")
    conv = keras.layers.Conv2D(4, 3, strides=2, data_format="channels_first", name="conv")
    converted = load(keras.Model(image, conv(image)))
    assert op_types(converted) == ["Conv"]
    x = np.random.default_rng(0).standard_normal((2, 3, 8, 8)).astype(np.float32)
    last = keras.layers.Conv2D(4, 3, strides=2)
    last.build((None, 8, 8, 3))
    last.set_weights(conv.get_weights())
    expected = last(x.transpose(0, 2, 3, 1)).numpy().transpose(0, 3, 1, 2)
    np.testing.assert_allclose(Session(converted).run({"image": x})["conv"], expected, rtol=1e-5, atol=1e-6)


def test_outputs_can_be_selected(agree: Any, two_ended: Any) -> None:
    assert list(shapes(agree(two_ended, outputs=["part"]).graph.outputs)) == ["part"]


def test_an_unknown_output_is_refused_with_the_known_ones(two_ended: Any) -> None:
    with pytest.raises(InvalidOption, match="'two_ended' has no output 'totl'; its outputs: 'total', 'part'"):
        load(two_ended, outputs=["totl"])


def test_an_unbuilt_model_is_refused(keras: Any) -> None:
    with pytest.raises(UnsupportedModel, match="'raw' is not built; call it once on an example batch"):
        load(keras.Sequential([keras.layers.Dense(3)], name="raw"))
