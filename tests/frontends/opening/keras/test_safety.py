from __future__ import annotations

from typing import Any

import pytest

from onnxpress.errors import UnsupportedModel
from onnxpress_frontends.opening.keras.safety import refuse_code


def model(**layer: Any) -> dict[str, Any]:
    return {"class_name": "Functional", "config": {"name": "net", "layers": [layer]}}


@pytest.mark.parametrize(
    "layer",
    [
        {"class_name": "Dense", "module": "keras.layers", "config": {"name": "d"}, "registered_name": None},
        {"class_name": "Dense", "config": {"name": "d", "activation": "relu"}},
        {"class_name": "Functional", "module": "keras.src.models.functional", "config": {}, "registered_name": "F"},
    ],
)
def test_keras_own_objects_pass(layer: dict[str, Any]) -> None:
    refuse_code(model(**layer), "net.keras")


@pytest.mark.parametrize(
    ("layer", "found"),
    [
        ({"class_name": "Lambda", "config": {"name": "l"}}, "Lambda layer in 'l'"),
        (
            {"class_name": "Mine", "module": None, "registered_name": "Mine", "config": {}},
            "custom object Mine in 'net'",
        ),
        ({"class_name": "house>Mine", "config": {"name": "m"}}, "custom object house>Mine in 'm'"),
        ({"class_name": "Popen", "module": "subprocess", "config": {"name": "p"}}, "custom object Popen in 'p'"),
        ({"class_name": "Popen", "module": "kerasx", "config": {"name": "p"}}, "custom object Popen in 'p'"),
        ({"class_name": "TFSMLayer", "module": "keras.layers", "config": {"name": "t"}}, "embedded SavedModel in 't'"),
        (
            {"class_name": "Dense", "config": {"name": "d", "activation": {"class_name": "__lambda__", "config": {}}}},
            "Python lambda in 'd'",
        ),
        (
            {"class_name": "Dense", "config": {"name": "d", "f": {"class_name": "function", "config": "evil"}}},
            "custom object evil in 'd'",
        ),
        (
            {"class_name": "TimeDistributed", "config": {"name": "t", "layer": {"class_name": "Lambda", "config": {}}}},
            "Lambda layer in 't'",
        ),
    ],
)
def test_code_is_found_at_any_depth_and_named(layer: dict[str, Any], found: str) -> None:
    with pytest.raises(UnsupportedModel, match=f"net.keras would run code of its own: {found}; if you trust the file"):
        refuse_code(model(**layer), "net.keras")


def test_the_training_configuration_of_the_model_is_not_searched() -> None:
    config = {**model(class_name="Dense", config={}), "compile_config": {"loss": {"class_name": "function"}}}
    refuse_code(config, "net.keras")


def test_the_training_configuration_of_a_model_inside_is_searched() -> None:
    inner = {**model(class_name="Dense", config={}), "compile_config": {"loss": {"class_name": "__lambda__"}}}
    with pytest.raises(UnsupportedModel, match="would run code of its own: Python lambda in 'net'"):
        refuse_code(model(**inner), "net.keras")


def test_a_layer_cannot_hide_code_behind_the_name_of_the_training_configuration() -> None:
    layer = {"class_name": "Dense", "config": {"name": "d", "compile_config": {"class_name": "Lambda", "config": {}}}}
    with pytest.raises(UnsupportedModel, match="would run code of its own: Lambda layer in 'd'"):
        refuse_code(model(**layer), "net.keras")
