"""The JSON file: what it lists is quantised as it says, and every key is read or refused by name."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from amct_configurations import HFMG_LAYER, IFMR_LAYER, network
from onnxpress.ascend.configuration.amct_config import AmctConfig
from onnxpress.ascend.configuration.json_form import parse, render
from onnxpress.ascend.configuration.layer_settings import LayerSettings
from onnxpress.errors import InvalidRecipe

DOCUMENT = {"version": 1, "batch_num": 2, "activation_offset": True, "do_fusion": True, "skip_fusion_layers": []}


def config(document: Any) -> AmctConfig:
    return parse(json.dumps(document), "c.json")


def changed(*place: str, to: object) -> dict[str, Any]:
    """The document with a layer, and one key changed."""
    document = copy.deepcopy({**DOCUMENT, "conv1": IFMR_LAYER})
    table: Any = document
    for key in place[:-1]:
        table = table[key]
    table[place[-1]] = to
    return document


def test_it_reads_the_documented_example() -> None:
    read = config({**DOCUMENT, "conv1": IFMR_LAYER, "conv2": HFMG_LAYER, "fc": {"quant_enable": False}})
    assert read == AmctConfig(
        source="c.json",
        batch_num=2,
        listed=("conv1", "conv2"),
        skip_layers=("fc",),
        layers={
            "conv1": LayerSettings(asymmetric=True, channel_wise=True),
            "conv2": LayerSettings(observer="hfmg", asymmetric=False, channel_wise=True),
        },
    )


def test_what_is_not_said_is_as_amct_has_it() -> None:
    assert config({"conv1": {"quant_enable": True}}) == AmctConfig(
        source="c.json", listed=("conv1",), layers={"conv1": LayerSettings()}
    )
    assert config({"conv1": {"quant_enable": True}, "conv2": {}}).skip_layers == ("conv2",)


@pytest.mark.parametrize(
    ("place", "value", "option"),
    [
        ("max_percentile", 0.99, ("max_percentile", 0.99)),
        ("min_percentile", 1.0, ("min_percentile", 1.0)),
        ("search_range", [0.8, 1.3], ("search_range_start", 0.8)),
        ("search_range", [0.7, 1.1], ("search_range_end", 1.1)),
        ("search_step", 0.02, ("search_step", 0.02)),
    ],
)
def test_every_option_of_the_algorithm_is_read(place: str, value: object, option: tuple[str, float]) -> None:
    read = config(changed("conv1", "activation_quant_params", place, to=value))
    assert read.layers["conv1"].options == (option,)


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ([], r"c.json must be a table, not \[\]"),
        ({**DOCUMENT}, "c.json has no layer with quant_enable, so that nothing would be quantised"),
        (changed("version", to=2), "c.json: version must be 1"),
        (changed("batchnum", to=2), "c.json: unknown key 'batchnum'; did you mean 'batch_num'?"),
        (changed("batch_num", to=0), "c.json: batch_num must be a number of batches above zero, not 0"),
        (changed("batch_num", to=True), "batch_num must be a number of batches above zero, not True"),
        (changed("activation_offset", to=1), "c.json: activation_offset must be true or false, not 1"),
        (changed("do_fusion", to="no"), "c.json: do_fusion must be true or false, not 'no'"),
        (changed("skip_fusion_layers", to="conv1"), "skip_fusion_layers must be a list of names, not 'conv1'"),
        (changed("skip_fusion_layers", to=["a", "a"]), "c.json: skip_fusion_layers has 'a' twice"),
        (
            changed("conv1", "quant_enabled", to=True),
            "layer 'conv1': unknown key 'quant_enabled'; did you mean 'qu",
        ),
        (changed("conv1", "quant_enable", to="yes"), "layer 'conv1': quant_enable must be true or false, not 'yes'"),
        (changed("conv1", "weight_quant_params", to=8), "layer 'conv1', weight_quant_params must be a table, not 8"),
        (
            changed("conv1", "activation_quant_params", "search_rang", to=[1, 2]),
            "layer 'conv1', activation: unknown key 'search_rang'; did you mean 'search_range_",
        ),
        (
            changed("conv1", "activation_quant_params", "search_range", to=[1]),
            r"layer 'conv1': search_range must be two numbers, not \[1\]",
        ),
        (
            changed("conv1", "activation_quant_params", "num_of_bins", to=1024),
            "layer 'conv1' has words of both ifmr and hfmg; remove those of one",
        ),
        (changed("conv1", "activation_quant_params", "act_algo", to="max"), "act_algo must be ifmr or hfmg, not 'max'"),
        (
            changed("conv1", "weight_quant_params", "channel_wise", to=1),
            "layer 'conv1': channel_wise must be true or false, not 1",
        ),
    ],
)
def test_what_makes_no_sense_is_named(document: Any, sentence: str) -> None:
    with pytest.raises(InvalidRecipe, match=sentence):
        config(document)


@pytest.mark.parametrize(
    ("document", "what"),
    [
        (changed("fakequant_precision_mode", to="FORCE_FP16_QUANT"), r"scales in float16 \(fakequant_precision_mode\)"),
        (changed("weight_offset", to=True), r"weights with an offset \(weight_offset\)"),
        (changed("tensor_quantize", to=[{"layer_name": "add"}]), r"integers around single tensors \(tensor_quantize\)"),
        (changed("conv1", "dmq_balancer_param", to=0.5), r"the DMQ balancer \(dmq_balancer\)"),
        (changed("conv1", "activation_quant_params", "num_bits", to=16), "activation num_bits 16"),
        (changed("conv1", "activation_quant_params", "num_bits", to=4), "activation num_bits 4"),
        (changed("conv1", "weight_quant_params", "num_bits", to=6), "weight num_bits 6"),
        (changed("conv1", "weight_quant_params", "wts_algo", to="ada_quantize"), "wts_algo 'ada_quantize'"),
        (changed("conv1", "weight_quant_params", "wts_algo", to="nuq_quantize"), "wts_algo 'nuq_quantize'"),
        (changed("conv1", "weight_quant_params", "num_iteration", to=9), "'num_iteration'"),
        (changed("conv1", "weight_quant_params", "num_steps", to=32), "'num_steps'"),
    ],
)
def test_what_would_change_the_result_and_is_not_done_is_refused(document: Any, what: str) -> None:
    with pytest.raises(InvalidRecipe, match=rf"c.json.* asks for {what}, which is not done; "):
        config(document)


def test_a_switch_that_is_off_asks_for_nothing() -> None:
    off = {"weight_offset": False, "joint_quant": False, "tensor_quantize": [], "fakequant_precision_mode": "DEFAULT"}
    assert config({**DOCUMENT, **off, "conv1": IFMR_LAYER}).warnings == ()


def test_what_changes_nothing_is_a_warning() -> None:
    (warning,) = config({**DOCUMENT, "joint_quant": True, "conv1": IFMR_LAYER}).warnings
    assert warning == "c.json: joint_quant changes nothing: the inputs of an Add have scales of their own"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('{"conv1": {}, "conv1": {}}', "c.json has the key 'conv1' twice"),
        ('{"conv1": ', "c.json is not valid JSON: Expecting value"),
        ("[" * 100_000, "c.json is not valid JSON: "),
    ],
)
def test_a_broken_file_is_named(text: str, sentence: str) -> None:
    with pytest.raises(InvalidRecipe, match=sentence):
        parse(text, "c.json")


def test_it_writes_what_amct_writes_for_the_documented_example() -> None:
    nodes = {str(node.name): node for node in network().graph}
    said = AmctConfig(
        source="",
        batch_num=2,
        layers={
            "conv2": LayerSettings(observer="hfmg", asymmetric=False),
            "fc": LayerSettings(options=(("search_range_end", 1.2),)),
        },
    )
    text = render(said, {nodes["fc"]: True, nodes["conv2"]: True, nodes["conv1"]: False})
    document = json.loads(text)
    assert list(document) == [*DOCUMENT, "conv1", "conv2", "fc"]
    assert {key: document[key] for key in DOCUMENT} == DOCUMENT
    assert document["conv1"] == {**IFMR_LAYER, "quant_enable": False}
    assert document["conv2"] == HFMG_LAYER
    assert document["fc"]["activation_quant_params"]["search_range"] == [0.7, 1.2]
    assert document["fc"]["weight_quant_params"]["channel_wise"] is False
    assert text.startswith('{\n    "version":1,\n    "batch_num":2,\n')
    assert list(document["conv1"]["activation_quant_params"]) == list(IFMR_LAYER["activation_quant_params"])


def test_a_layer_that_has_the_name_of_a_key_cannot_be_written() -> None:
    (node, *_) = network().graph
    node.name = "batch_num"
    with pytest.raises(InvalidRecipe, match="a Conv is called 'batch_num', which AMCT has for a key; rename the node"):
        render(AmctConfig(source=""), {node: True})
