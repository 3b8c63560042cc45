"""The simplified configuration: every field of every framework is read, or refused by name."""

from __future__ import annotations

import pytest

from amct_configurations import SIMPLIFIED
from onnxpress.ascend.configuration.amct_config import AmctConfig
from onnxpress.ascend.configuration.layer_settings import LayerSettings
from onnxpress.ascend.configuration.text_form import SCHEMA, parse
from onnxpress.errors import InvalidRecipe


def config(text: str) -> AmctConfig:
    return parse(text, "c.cfg")


def test_it_reads_the_documented_example() -> None:
    assert config(SIMPLIFIED) == AmctConfig(
        source="c.cfg",
        batch_num=2,
        skip_layers=("conv3",),
        skip_layer_types=("AvgPool2d",),
        skip_fusion_layers=("conv2",),
        common=LayerSettings(asymmetric=True, channel_wise=True),
        types={
            "Linear": LayerSettings(
                options=(("search_range_start", 0.8), ("search_range_end", 1.2), ("search_step", 0.02)),
                asymmetric=False,
                channel_wise=False,
            )
        },
        layers={"conv2": LayerSettings(observer="hfmg", options=(("num_of_bins", 2048),), channel_wise=False)},
    )


def test_recurrent_layers_can_be_skipped() -> None:
    assert config('skip_layer_types: "LSTM" skip_layer_types: "GRU"').skip_layer_types == ("LSTM", "GRU")


def test_an_empty_file_is_amcts_default() -> None:
    assert config("") == AmctConfig(source="c.cfg")
    assert config("activation_offset: false do_fusion: false") == AmctConfig(
        source="c.cfg", activation_offset=False, do_fusion=False
    )


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("fakequant_precision_mode: FORCE_FP16_QUANT", r"scales in float16 \(fakequant_precision_mode\)"),
        ("weight_offset: true", r"weights with an offset \(weight_offset\)"),
        ('tensor_quantize { layer_name: "add" input_index: 0 }', r"integers around single tensors \(tensor_quantize\)"),
        ("nuq_config { mapping_file: 'm' }", r"clustered weights \(nuq_config\)"),
        ("enable_auto_nuq: true", r"clustered weights \(enable_auto_nuq\)"),
        ("weight_compress_only: true", r"integer weights for float activations \(weight_compress_only\)"),
        ('override_layer_types { layer_type: "LSTM" calibration_config { } }', "LSTM in integers"),
        ("common_config { dmq_balancer { } }", r"the DMQ balancer \(dmq_balancer\)"),
        ("common_config { ada_quantize { num_iteration: 1 } }", "ada_quantize"),
        ("common_config { nuq_quantize { num_steps: 16 } }", "nuq_quantize"),
        ("common_config { arq_quantize { quant_bits: 7 } }", "weight num_bits 7"),
        ("common_config { ifmr_quantize { dst_type: INT16 } }", "activation num_bits 16"),
        ("common_config { hfmg_quantize { dst_type: INT4 } }", "activation num_bits 4"),
        (
            'override_layer_types { layer_type: "MatMul" calibration_config { arq_quantize { channel_wise: true } } }',
            "channel_wise",
        ),
    ],
)
def test_what_would_change_the_result_and_is_not_done_is_refused(text: str, what: str) -> None:
    with pytest.raises(InvalidRecipe, match=rf"c.cfg.* asks for {what}, which is not done; "):
        config(text)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("batchnum: 1", "c.cfg, line 1: unknown field 'batchnum'; did you mean 'batch_num'?"),
        ("batch_num: 0", "c.cfg: batch_num must be a number of batches above zero, not 0"),
        ('common_config { ifmr_quantize { asymmetric: "no" } }', "c.cfg, line 1: "),
        (
            "common_config { ifmr_quantize { } hfmg_quantize { } }",
            "c.cfg, common_config has both ifmr_quantize and",
        ),
        ('skip_layers: "a" skip_layers: "a"', "c.cfg: skip_layers has 'a' twice"),
        ('skip_layer_types: "Relu"', "c.cfg: AMCT quantises no layers of type 'Relu', but Conv, Gemm, MatMul, "),
        ("override_layer_configs { calibration_config { } }", "override_layer_configs has an entry without layer_name"),
        (
            'override_layer_types { layer_type: "Conv" } override_layer_types { layer_type: "Conv" }',
            "c.cfg: override_layer_types has 'Conv' twice",
        ),
    ],
)
def test_what_makes_no_sense_is_named(text: str, sentence: str) -> None:
    with pytest.raises(InvalidRecipe, match=sentence):
        config(text)


def test_what_changes_nothing_is_a_warning() -> None:
    said = config('joint_quant: true skip_approximation_layers: "softmax"')
    assert said.warnings == (
        "c.cfg: joint_quant changes nothing: the inputs of an Add have scales of their own",
        "c.cfg: skip_approximation_layers changes nothing: no layer is approximated",
    )


@pytest.mark.parametrize("field", SCHEMA["AMCTConfig"])
def test_no_field_is_passed_over(field: str) -> None:
    """Each field of the file alone either changes what is read, or is refused, or warns."""
    values = {
        "uint32": ": 3",
        "repeated string": ': "Conv"',
        "FakequantPrecisionMode": ": FORCE_FP16_QUANT",
        "NUQConfig": " { mapping_file: 'm' }",
        "CalibrationConfig": " { hfmg_quantize { } }",
        "repeated OverrideLayerType": ' { layer_type: "Conv" }',
        "repeated OverrideLayer": ' { layer_name: "conv1" }',
        "repeated TensorQuantize": ' { layer_name: "add" }',
        "bool": ": false" if field in ("activation_offset", "do_fusion") else ": true",
    }
    content = SCHEMA["AMCTConfig"]
    assert not isinstance(content, tuple)
    try:
        assert config(field + values[content[field]]) != AmctConfig(source="c.cfg")
    except InvalidRecipe as error:
        assert field in str(error)
