"""AMCT's JSON file, what ``create_quant_config`` makes: every layer with all its parameters.

    {"version": 1, "batch_num": 1, "activation_offset": true, "do_fusion": true, "skip_fusion_layers": [],
     "conv1": {"quant_enable": true,
               "activation_quant_params": {"num_bits": 8, "max_percentile": 0.999999, ..., "asymmetric": true},
               "weight_quant_params": {"num_bits": 8, "channel_wise": true, "wts_algo": "arq_quantize"}}, ...}

A layer that is not listed stays float, as does one without ``quant_enable``.  Source: ``common/config/config_base.py``
of ``hicann/amct``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from onnxpress.ascend.configuration.amct_config import AmctConfig
from onnxpress.ascend.configuration.global_settings import NAMES, global_settings
from onnxpress.ascend.configuration.layer_settings import OPTIONS, LayerSettings, known, layer_settings, truth
from onnxpress.ascend.layer_types import ONE_SCALE
from onnxpress.errors import InvalidRecipe
from onnxpress.kinds import SOURCE_NAME_KEY

if TYPE_CHECKING:
    import onnx_ir as ir

_LAYER = ("quant_enable", "dmq_balancer_param", "activation_quant_params", "weight_quant_params")
_ACTIVATION = (
    "num_bits",
    "max_percentile",
    "min_percentile",
    "search_range",
    "search_step",
    "act_algo",
    "asymmetric",
    "num_of_bins",
)
"""In the order in which AMCT writes them."""

_RANGE = ("search_range_start", "search_range_end")


def parse(text: str, source: str) -> AmctConfig:
    """Read a file.

    Args:
        text: Its content.
        source: What an error calls it.

    Raises:
        InvalidRecipe: It is no JSON, has a key twice or an unknown one, or asks for what is not done.
    """
    try:
        document = _table(json.loads(text, object_pairs_hook=lambda pairs: _unrepeated(pairs, source)), source)
    except (ValueError, RecursionError) as error:
        raise InvalidRecipe(f"{source} is not valid JSON: {error}") from error
    if document.pop("version", 1) != 1:
        raise InvalidRecipe(f"{source}: version must be 1")
    layers = {name: own for name, own in document.items() if name not in NAMES}
    for name, own in layers.items():
        if not isinstance(own, dict):
            known([name], NAMES, source)
        known(own, _LAYER, f"{source}, layer {name!r}")
    enabled = [name for name, own in layers.items() if truth(own, "quant_enable", f"{source}, layer {name!r}")]
    if not enabled:
        raise InvalidRecipe(f"{source} has no layer with quant_enable, so that nothing would be quantised")
    return AmctConfig(
        source=source,
        listed=tuple(enabled),
        skip_layers=tuple(name for name in layers if name not in enabled),
        layers={name: _settings(layers[name], f"{source}, layer {name!r}") for name in enabled},
        **global_settings({name: document[name] for name in NAMES if name in document}, source),
    )


def render(config: AmctConfig, layers: Mapping[ir.Node, bool]) -> str:
    """Write a file.

    Args:
        config: The settings.
        layers: The layers to list, and whether each is quantised.  They are called as their source calls them.

    Raises:
        InvalidRecipe: A layer has no name that AMCT could know it by.
    """
    document: dict[str, Any] = {
        "version": 1,
        "batch_num": config.batch_num or 1,
        "activation_offset": config.activation_offset,
        "do_fusion": config.do_fusion,
        "skip_fusion_layers": list(config.skip_fusion_layers),
    }
    names = {node: node.meta.get(SOURCE_NAME_KEY, node.name or "") for node in layers}
    for node, enabled in sorted(layers.items(), key=lambda layer: names[layer[0]]):
        if names[node] in ("", "version", *NAMES):
            raise InvalidRecipe(
                f"a {node.op_type} is called {names[node]!r}, which AMCT has for a key; rename the node"
            )
        settings = config.settings(node)
        document[names[node]] = {
            "quant_enable": enabled,
            "activation_quant_params": _activation(settings, config.is_asymmetric(settings)),
            "weight_quant_params": {
                "num_bits": 8,
                "channel_wise": node.op_type not in ONE_SCALE and settings.channel_wise is not False,
                "wts_algo": "arq_quantize",
            },
        }
    return json.dumps(document, indent=4, separators=(",", ":")) + "\n"


def _settings(own: dict[str, Any], where: str) -> LayerSettings:
    activation = dict(_table(own.get("activation_quant_params", {}), f"{where}, activation_quant_params"))
    weight = _table(own.get("weight_quant_params", {}), f"{where}, weight_quant_params")
    if "search_range" in activation:
        ends = activation.pop("search_range")
        if not isinstance(ends, list) or len(ends) != 2:
            raise InvalidRecipe(f"{where}: search_range must be two numbers, not {ends!r}")
        activation.update(zip(_RANGE, ends, strict=True))
    return layer_settings(activation, weight, own.get("dmq_balancer_param"), where)


def _activation(settings: LayerSettings, asymmetric: bool) -> dict[str, Any]:
    words: dict[str, Any] = {**OPTIONS[settings.observer], **dict(settings.options)}
    if settings.observer == "ifmr":
        words["search_range"] = [words.pop(name) for name in _RANGE]
    words |= {"num_bits": 8, "act_algo": settings.observer, "asymmetric": asymmetric}
    return {name: words[name] for name in _ACTIVATION if name in words}


def _table(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InvalidRecipe(f"{where} must be a table, not {value!r}")
    return value


def _unrepeated(pairs: list[tuple[str, Any]], source: str) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        keys = [key for key, _ in pairs]
        raise InvalidRecipe(f"{source} has the key {next(key for key in keys if keys.count(key) > 1)!r} twice")
    return table
