from __future__ import annotations

import json
from typing import Any

import pytest

from keras_2 import small_models
from onnxpress.errors import UnsupportedModel
from onnxpress_frontends.opening.keras.dialect import label, translate
from onnxpress_frontends.opening.keras.operations import custom_objects, named_here
from onnxpress_frontends.opening.keras.vocabulary import REMOVED

RECORD = json.loads(small_models.RECORD.read_text())
INCOMPLETE = ("AbstractRNNCell", "Discretization", "InputLayer", "Layer", "Wrapper")


def layer(kind: str, **config: Any) -> dict[str, Any]:
    return {"class_name": kind, "config": {"name": "it", **config}}


def translated(kind: str, **config: Any) -> dict[str, Any]:
    result = translate(layer(kind, **config))
    assert result["config"].pop("name") == "it"
    return {"class_name": result["class_name"], **result["config"]}


@pytest.mark.parametrize(
    "recorded",
    [item for item in RECORD["layers"] if item["class_name"] not in (*INCOMPLETE, *REMOVED)],
    ids=lambda item: str(item["class_name"]),
)
def test_every_layer_as_keras_2_wrote_it_is_one_that_keras_3_reads(keras: Any, recorded: dict[str, Any]) -> None:
    config = named_here(translate(recorded))
    read = keras.saving.deserialize_keras_object(config, custom_objects=custom_objects())
    assert read.name == recorded["config"]["name"]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (layer("DepthwiseConv2D", kernel_size=3, groups=1), {"class_name": "DepthwiseConv2D", "kernel_size": 3}),
        (layer("LSTM", units=2, time_major=False), {"class_name": "LSTM", "units": 2}),
        (layer("GRU", units=2), {"class_name": "GRU", "units": 2, "reset_after": False}),
        (layer("GRU", units=2, reset_after=True), {"class_name": "GRU", "units": 2, "reset_after": True}),
        (layer("LeakyReLU", alpha=0.2), {"class_name": "LeakyReLU", "negative_slope": 0.2}),
        (layer("ThresholdedReLU", theta=0.5), {"class_name": "ReLU", "threshold": 0.5}),
        (layer("BatchNormalizationV1", axis=[3], fused=True), {"class_name": "BatchNormalization", "axis": 3}),
        (layer("LayerNormalization", axis=[1, 2]), {"class_name": "LayerNormalization", "axis": [1, 2]}),
        (layer("AddLoss", unconditional=True), {"class_name": "Identity"}),
        (layer("RandomHeight", factor=0.1, seed=3), {"class_name": "Identity"}),
        (layer("InputLayer", batch_input_shape=[None, 2]), {"class_name": "InputLayer", "batch_shape": [None, 2]}),
        (layer("InputLayer", sparse=False, ragged=False), {"class_name": "InputLayer"}),
        (
            layer("Dense", dtype={"class_name": "Policy", "config": {"name": "mixed_float16"}}),
            {"class_name": "Dense", "dtype": "mixed_float16"},
        ),
        (
            layer("Dense", units=2, kernel_initializer={"class_name": "Mine", "config": {}}, bias_constraint="mine"),
            {"class_name": "Dense", "units": 2},
        ),
    ],
    ids=lambda item: str(item.get("class_name")),
)
def test_renamed_dropped_and_missing_keys(written: dict[str, Any], read: dict[str, Any]) -> None:
    assert translated(written["class_name"], **written["config"]) == read


@pytest.mark.parametrize(
    ("kind", "key", "value"),
    [
        ("LSTM", "time_major", True),
        ("InputLayer", "sparse", True),
        ("InputLayer", "ragged", True),
        ("DepthwiseConv2D", "groups", 2),
        ("BatchNormalization", "virtual_batch_size", 8),
    ],
)
def test_what_keras_3_cannot_express_is_refused_by_layer_and_key(kind: str, key: str, value: Any) -> None:
    with pytest.raises(
        UnsupportedModel, match=rf"layer 'it' \({kind}\) has {key}={value}, which Keras 3 cannot express"
    ):
        translate(layer(kind, **{key: value}))


@pytest.mark.parametrize("kind", REMOVED)
def test_layers_that_are_no_more_are_refused_by_name(kind: str) -> None:
    with pytest.raises(
        UnsupportedModel, match=rf"layer 'it' \({kind}\) is none of Keras 3; save the model as a SavedModel"
    ):
        translate(layer("TimeDistributed", layer=layer(kind)))


def test_a_sequential_gets_the_input_that_its_first_layer_knew() -> None:
    dense = layer("Dense", units=3, batch_input_shape=[None, 4], dtype="float32")
    layers = translate({"class_name": "Sequential", "config": {"name": "net", "layers": [dense]}})["config"]["layers"]
    arguments = {"batch_shape": [None, 4], "dtype": "float32", "name": "it_input"}
    assert layers[0] == {
        "class_name": "InputLayer",
        "config": arguments,
        "module": "keras.layers",
        "registered_name": None,
    }
    assert "batch_input_shape" not in layers[1]["config"]


def test_slashes_in_names_become_underscores() -> None:
    written = {**layer("ReLU"), "name": "block/relu", "config": {"name": "block/relu"}}
    assert (translate(written)["name"], translate(written)["config"]["name"]) == ("block_relu", "block_relu")


def test_a_translation_leaves_the_original_alone() -> None:
    written = layer("TimeDistributed", layer=layer("DepthwiseConv2D", groups=1))
    copy = json.loads(json.dumps(written))
    assert translate(written)["config"]["layer"]["config"] == {"name": "it"}
    assert written == copy


def test_custom_layers_keep_what_they_were_written_with() -> None:
    written = layer("house>Mine", kernel_initializer="zeros", axis=[1])
    assert translate(written) == written


def test_labels_say_that_a_layer_is_keras_own() -> None:
    dense = {"module": "keras.layers", "registered_name": None, **layer("Dense")}
    assert label([layer("Dense"), layer("Mine")]) == [dense, layer("Mine")]
