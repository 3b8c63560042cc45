"""What AMCT's configuration says of the whole model, apart from any layer.

``tensor_quantize`` (integers around MaxPool and Add), ``weight_offset``, clustered weights and float16 scales would
change the result, and are refused by name.  What changes nothing here is a warning: ``joint_quant``, which lets the
inputs of an Add share a scale for the sake of speed, and the layers that are kept from approximations that are not
done anyway.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from onnxpress.ascend.configuration.layer_settings import known, refused, truth
from onnxpress.errors import InvalidRecipe

NAMES = (
    "batch_num",
    "activation_offset",
    "do_fusion",
    "skip_fusion_layers",
    "fakequant_precision_mode",
    "joint_quant",
    "weight_offset",
    "tensor_quantize",
    "skip_approximation_layers",
    "nuq_config",
    "enable_auto_nuq",
    "weight_compress_only",
)

_REFUSED = {
    "fakequant_precision_mode": ("scales in float16", "remove it"),
    "weight_offset": ("weights with an offset", "the NPU takes symmetric weights only; remove it"),
    "tensor_quantize": ("integers around single tensors", "MaxPool and Add stay float; remove it"),
    "nuq_config": ("clustered weights", "remove it"),
    "enable_auto_nuq": ("clustered weights", "remove it"),
    "weight_compress_only": ("integer weights for float activations", "remove it"),
}
_IGNORED = {
    "joint_quant": "the inputs of an Add have scales of their own",
    "skip_approximation_layers": "no layer is approximated",
}


def global_settings(given: Mapping[str, Any], source: str) -> dict[str, Any]:
    """The fields of an `AmctConfig` that are not about layers.

    Args:
        given: Values by name.
        source: What an error names.

    Raises:
        InvalidRecipe: A name is unknown, a value has no sense, or asks for what is not done.
    """
    known(given, NAMES, source)
    said = {name: value for name, value in given.items() if value not in (None, False, [], "", "DEFAULT")}
    for name, (what, instead) in _REFUSED.items():
        if name in said:
            raise refused(source, f"{what} ({name})", instead)
    batches = given.get("batch_num")
    if batches is not None and (isinstance(batches, bool) or not isinstance(batches, int) or batches < 1):
        raise InvalidRecipe(f"{source}: batch_num must be a number of batches above zero, not {batches!r}")
    return {
        "batch_num": batches,
        "activation_offset": truth(given, "activation_offset", source) is not False,
        "do_fusion": truth(given, "do_fusion", source) is not False,
        "skip_fusion_layers": names(given, "skip_fusion_layers", source),
        "warnings": tuple(f"{source}: {name} changes nothing: {why}" for name, why in _IGNORED.items() if name in said),
    }


def names(given: Mapping[str, Any], key: str, source: str) -> tuple[str, ...]:
    """A list of names.

    Raises:
        InvalidRecipe: It is none, or has one twice.
    """
    value = given.get(key, [])
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise InvalidRecipe(f"{source}: {key} must be a list of names, not {value!r}")
    repeated = next((name for name in value if value.count(name) > 1), None)
    if repeated is not None:
        raise InvalidRecipe(f"{source}: {key} has {repeated!r} twice")
    return tuple(value)
