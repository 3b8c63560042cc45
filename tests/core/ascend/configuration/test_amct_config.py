"""A configuration as options of a recipe: whose word counts, and what only the model can tell."""

from __future__ import annotations

import json
from typing import Any

import pytest

from amct_configurations import HFMG_LAYER, IFMR_LAYER, SIMPLIFIED, network
from calibrated import graph, numbers
from onnxpress.ascend.configuration import json_form, text_form
from onnxpress.ascend.configuration.amct_config import AmctConfig
from onnxpress.ascend.configuration.layer_settings import LayerSettings
from onnxpress.errors import InvalidRecipe

PASSES = ("fold-batch-norm", "calibrate", "insert-qdq")


def text(text: str) -> AmctConfig:
    return text_form.parse(text, "c.cfg")


def listed(**layers: Any) -> AmctConfig:
    return json_form.parse(json.dumps(layers), "c.json")


def test_the_documented_example_as_options() -> None:
    said = text(SIMPLIFIED)
    assert said.target == "ascend"
    assert said.options(PASSES) == {
        "calibrate.observer": "ifmr",
        "calibrate.observer_options": [],
        "calibrate.layer_observers": [
            "<Linear>: ifmr search_range_start=0.8 search_range_end=1.2 search_step=0.02 asymmetric=false",
            "conv2: hfmg num_of_bins=2048",
        ],
        "*.rounding": "nearest",
        "*.per_tensor": ["<Linear>", "conv2"],
        "*.exclude_nodes": ["conv3"],
        "*.exclude_ops": ["AvgPool2d"],
        "fold-batch-norm.exclude_layers": ["conv2"],
    }


def test_a_listing_as_options_has_most_layers_as_the_rule() -> None:
    said = listed(conv1=HFMG_LAYER, conv2=IFMR_LAYER, conv3=IFMR_LAYER, fc={"quant_enable": False})
    assert said.options(PASSES) == {
        "calibrate.observer": "ifmr",
        "calibrate.observer_options": [],
        "calibrate.layer_observers": ["conv1: hfmg asymmetric=false"],
        "*.rounding": "nearest",
        "*.only_nodes": ["conv1", "conv2", "conv3"],
        "*.exclude_nodes": ["fc"],
    }


def test_weights_with_one_scale_are_listed_alone_where_no_rule_is_for_more() -> None:
    one_scale = {**IFMR_LAYER, "weight_quant_params": {"channel_wise": False}}
    said = listed(conv1=one_scale, conv2=IFMR_LAYER, fc=one_scale)
    assert said.options(PASSES)["*.per_tensor"] == ["conv1", "fc"]


def test_without_fusion_no_layer_is_folded_into() -> None:
    assert text("do_fusion: false").options(PASSES)["fold-batch-norm.exclude_layers"] == ["*"]
    assert not [key for key in text("do_fusion: false").options(("calibrate",)) if key.startswith("fold")]


def test_a_layers_word_stands_for_its_types_and_that_for_the_common_one() -> None:
    nodes = {node.name: node for node in network().graph}
    said = text(
        """
        common_config { hfmg_quantize { num_of_bins: 1024 } arq_quantize { channel_wise: false } }
        override_layer_types { layer_type: "Conv2d" calibration_config { ifmr_quantize { search_step: 0.02 } } }
        override_layer_configs { layer_name: "conv1" calibration_config { } }
        """
    )
    assert said.settings(nodes["fc"]) == LayerSettings(
        observer="hfmg", options=(("num_of_bins", 1024),), channel_wise=False
    )
    assert said.settings(nodes["conv2"]) == LayerSettings(options=(("search_step", 0.02),))  # whole, not merged
    assert said.settings(nodes["conv1"]) == LayerSettings()
    assert said.options(PASSES)["*.per_tensor"] == ["*", "!<Conv2d>", "!conv1"]


@pytest.mark.parametrize(
    ("offset", "common", "own", "expected"),
    [
        (None, "", "", True),
        (False, "", "", False),
        (False, "asymmetric: true", "", True),
        (True, "asymmetric: false", "", False),
        (True, "asymmetric: false", "asymmetric: true", True),
    ],
)
def test_who_decides_on_offsets(offset: bool | None, common: str, own: str, expected: bool) -> None:
    said = text(
        f"""
        {"" if offset is None else f"activation_offset: {str(offset).lower()}"}
        common_config {{ ifmr_quantize {{ {common} }} }}
        override_layer_configs {{ layer_name: "conv1" calibration_config {{ ifmr_quantize {{ {own} }} }} }}
        """
    )
    assert said.is_asymmetric(said.layers["conv1"]) is expected


def test_the_common_word_on_offsets_is_for_layers_of_the_same_algorithm() -> None:
    said = text(
        """
        common_config { ifmr_quantize { asymmetric: false } }
        override_layer_configs { layer_name: "conv1" calibration_config { hfmg_quantize { } } }
        """
    )
    assert said.is_asymmetric(said.layers["conv1"])
    assert said.options(PASSES)["calibrate.layer_observers"] == ["conv1: hfmg"]
    assert said.options(PASSES)["calibrate.observer_options"] == ["asymmetric=false"]


def test_the_target_has_no_offsets_when_no_layer_has() -> None:
    one = 'override_layer_configs { layer_name: "conv1" calibration_config { ifmr_quantize { asymmetric: true } } }'
    assert text("activation_offset: false").target == "ascend-symmetric"
    assert text(f"activation_offset: false {one}").target == "ascend"
    assert listed(conv1=HFMG_LAYER).target == "ascend-symmetric"
    assert listed(conv1=HFMG_LAYER, conv2=IFMR_LAYER).target == "ascend"


def test_batches_are_samples_only_where_the_model_has_a_batch() -> None:
    assert text("").limit(None) == (None, [])
    assert text("batch_num: 3").limit(4) == (3, [])
    assert text("batch_num: 3").limit(None) == (
        None,
        [
            "c.cfg: batch_num 3 counts batches of a size that the file does not tell, so all samples are used; "
            "--set calibrate.samples=N uses N"
        ],
    )


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (text('skip_layers: "conv9"'), "c.cfg, skip_layers: no node is called 'conv9'; did you mean 'conv"),
        (text('skip_fusion_layers: "zzz"'), "c.cfg, skip_fusion_layers: no node is called 'zzz'; `onnxpress inspect"),
        (listed(convx=IFMR_LAYER), "c.json, layers: no node is called 'convx'"),
        (
            listed(fc=IFMR_LAYER),
            "c.json, layer 'fc' asks for channel_wise, which is not done; its weight has one scale",
        ),
    ],
)
def test_what_does_not_fit_the_model_is_named(said: AmctConfig, sentence: str) -> None:
    with pytest.raises(InvalidRecipe, match=sentence):
        said.check(network())


def test_a_type_that_the_model_lacks_is_a_warning() -> None:
    said = text('skip_layer_types: "Conv1d" override_layer_types { layer_type: "Conv3d" calibration_config { } }')
    assert said.check(network()) == [
        "c.cfg: the model has no layer of type 'Conv3d'",
        "c.cfg: the model has no layer of type 'Conv1d'",
    ]


def test_products_of_matrices_are_known_by_name_before_folding_makes_them_something_else() -> None:
    model = graph("a = MatMul(x, w) b = MatMul(a, w) y = Add(b, w)", x="float[N,4] x", w=numbers(4, 4))
    said = text(
        """
        skip_layer_types: "MatMul"
        override_layer_types { layer_type: "BatchMatMul" calibration_config { ifmr_quantize { search_step: 0.02 } } }
        override_layer_configs { layer_name: "b" calibration_config { hfmg_quantize { } } }
        """
    ).resolved(model)
    assert (said.skip_layers, said.skip_layer_types) == (("a", "b"), ())
    assert {name: own.observer for name, own in said.layers.items()} == {"a": "ifmr", "b": "hfmg"}
    assert said.types == {}
    assert text(SIMPLIFIED).resolved(network()) == text(SIMPLIFIED)
    assert text('skip_layer_types: "Conv1d"').resolved(network()) == text("")
