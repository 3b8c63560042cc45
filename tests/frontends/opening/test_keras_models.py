from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from onnxpress.errors import InvalidOption, UnsupportedModel
from onnxpress_frontends.tensorflow_source import load


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


def test_outputs_can_be_selected(agree: Any, two_ended: Any) -> None:
    assert list(shapes(agree(two_ended, outputs=["part"]).graph.outputs)) == ["part"]


def test_an_unknown_output_is_refused_with_the_known_ones(two_ended: Any) -> None:
    with pytest.raises(InvalidOption, match="'two_ended' has no output 'totl'; its outputs: 'total', 'part'"):
        load(two_ended, outputs=["totl"])


def test_an_unbuilt_model_is_refused(keras: Any) -> None:
    with pytest.raises(UnsupportedModel, match="'raw' is not built; call it once on an example batch"):
        load(keras.Sequential([keras.layers.Dense(3)], name="raw"))
