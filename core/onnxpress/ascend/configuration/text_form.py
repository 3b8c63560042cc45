"""AMCT's simplified configuration (``config_defination``): protobuf text with common settings, and what differs.

    batch_num: 2
    skip_layers: "fc"
    common_config { ifmr_quantize { search_step: 0.02 } }
    override_layer_types { layer_type: "Conv2d" calibration_config { arq_quantize { channel_wise: false } } }
    override_layer_configs { layer_name: "conv1" calibration_config { hfmg_quantize { asymmetric: false } } }

One schema holds the fields of all frameworks.  Sources: ``calibration_config_pytorch.proto`` and
``common/config/proto_config.py`` of ``hicann/amct``, and AMCT's documentation for the other frameworks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from onnxpress.ascend.configuration.amct_config import AmctConfig
from onnxpress.ascend.configuration.global_settings import NAMES, global_settings, names
from onnxpress.ascend.configuration.layer_settings import LayerSettings, layer_settings, refused
from onnxpress.ascend.layer_types import LAYER_TYPES, LAYERS, ONE_SCALE, RECURRENT, operators
from onnxpress.ascend.text_messages import Schema
from onnxpress.ascend.text_messages import parse as parse_message
from onnxpress.errors import InvalidData, InvalidRecipe

SCHEMA: Schema = {
    "AMCTConfig": {
        "batch_num": "uint32",
        "activation_offset": "bool",
        "joint_quant": "bool",
        "weight_offset": "bool",
        "skip_layers": "repeated string",
        "skip_layer_types": "repeated string",
        "skip_approximation_layers": "repeated string",
        "fakequant_precision_mode": "FakequantPrecisionMode",
        "nuq_config": "NUQConfig",
        "enable_auto_nuq": "bool",
        "weight_compress_only": "bool",
        "common_config": "CalibrationConfig",
        "override_layer_types": "repeated OverrideLayerType",
        "override_layer_configs": "repeated OverrideLayer",
        "tensor_quantize": "repeated TensorQuantize",
        "do_fusion": "bool",
        "skip_fusion_layers": "repeated string",
    },
    "OverrideLayerType": {"layer_type": "string", "calibration_config": "CalibrationConfig"},
    "OverrideLayer": {"layer_name": "string", "calibration_config": "CalibrationConfig"},
    "TensorQuantize": {
        "layer_name": "string",
        "input_index": "uint32",
        "ifmr_quantize": "FMRQuantize",
        "hfmg_quantize": "HFMGQuantize",
    },
    "CalibrationConfig": {
        "arq_quantize": "ARQuantize",
        "ada_quantize": "ADAquantize",
        "nuq_quantize": "NUQuantize",
        "ifmr_quantize": "FMRQuantize",
        "hfmg_quantize": "HFMGQuantize",
        "dmq_balancer": "DMQBalancer",
    },
    "ARQuantize": {"channel_wise": "bool", "quant_bits": "uint32"},
    "ADAquantize": {
        "num_iteration": "uint32",
        "reg_param": "float",
        "beta_range_start": "float",
        "beta_range_end": "float",
        "warm_start": "float",
        "channel_wise": "bool",
    },
    "NUQConfig": {"mapping_file": "string", "nuq_quantize": "NUQuantize"},
    "NUQuantize": {"num_steps": "uint32", "num_of_iteration": "uint32"},
    "DMQBalancer": {"migration_strength": "float"},
    "FMRQuantize": {
        "search_range_start": "float",
        "search_range_end": "float",
        "search_step": "float",
        "max_percentile": "float",
        "min_percentile": "float",
        "asymmetric": "bool",
        "dst_type": "CalibrationDataType",
    },
    "HFMGQuantize": {"num_of_bins": "uint32", "asymmetric": "bool", "dst_type": "CalibrationDataType"},
    "FakequantPrecisionMode": ("DEFAULT", "FORCE_FP16_QUANT"),
    "CalibrationDataType": ("INT4", "INT8", "INT16"),
}
"""Every field of every framework."""

_BITS = {"INT4": 4, "INT8": 8, "INT16": 16}
_OVERRIDES = {"override_layer_types": "layer_type", "override_layer_configs": "layer_name"}


def parse(text: str, source: str) -> AmctConfig:
    """Read a file.

    Args:
        text: Its content.
        source: What an error calls it.

    Raises:
        InvalidRecipe: It is no such text, has an unknown field, or asks for what is not done.
    """
    try:
        message = parse_message(text, SCHEMA, source=source, landmark="layer_name")
    except InvalidData as error:
        raise InvalidRecipe(str(error)) from error
    types, layers = (_overrides(message, key, source) for key in _OVERRIDES)
    skipped = names(message, "skip_layer_types", source)
    for kind in (*types, *skipped):
        if not set(operators(kind)) <= {*LAYERS, *RECURRENT}:
            known = ", ".join((*LAYERS, *RECURRENT, *LAYER_TYPES))
            raise InvalidRecipe(f"{source}: AMCT quantises no layers of type {kind!r}, but {known}")
    for kind, own in types.items():
        if kind in RECURRENT:
            raise refused(source, f"{kind} in integers", "skip that type")
        if own.channel_wise and set(operators(kind)) <= set(ONE_SCALE):
            raise refused(f"{source}, type {kind!r}", "channel_wise", "its weight has one scale")
    return AmctConfig(
        source=source,
        skip_layers=names(message, "skip_layers", source),
        skip_layer_types=skipped,
        common=_settings(message.get("common_config", {}), f"{source}, common_config"),
        types=types,
        layers=layers,
        **global_settings({name: message[name] for name in NAMES if name in message}, source),
    )


def _overrides(message: Mapping[str, Any], key: str, source: str) -> dict[str, LayerSettings]:
    overrides: Sequence[Mapping[str, Any]] = message.get(key, [])
    given = [str(override.get(_OVERRIDES[key], "")) for override in overrides]
    if "" in given:
        raise InvalidRecipe(f"{source}: {key} has an entry without {_OVERRIDES[key]}")
    names({key: given}, key, source)
    return {
        name: _settings(override.get("calibration_config", {}), f"{source}, {key} {name!r}")
        for name, override in zip(given, overrides, strict=True)
    }


def _settings(given: Mapping[str, Any], where: str) -> LayerSettings:
    algorithms = [name for name in ("ifmr_quantize", "hfmg_quantize") if name in given]
    if len(algorithms) > 1:
        raise InvalidRecipe(f"{where} has both {' and '.join(algorithms)}; remove one")
    for name in ("ada_quantize", "nuq_quantize"):
        if name in given:
            raise refused(where, name, "use arq_quantize")
    activation: dict[str, Any] = {}
    for name in algorithms:
        activation = {word: _decimal(value) for word, value in given[name].items()}
        bits = _BITS[activation.pop("dst_type", "INT8")]
        activation |= {"act_algo": name.removesuffix("_quantize"), "num_bits": bits}
    weight = dict(given.get("arq_quantize", {}))
    weight["num_bits"] = weight.pop("quant_bits", 8)
    return layer_settings(activation, weight, given.get("dmq_balancer"), where)


def _decimal(value: Any) -> Any:
    """A float32 number as the shortest decimal that stands for it: 0.7, not 0.699999988."""
    return float(str(np.float32(value))) if isinstance(value, float) else value
