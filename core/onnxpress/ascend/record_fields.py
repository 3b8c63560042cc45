"""The fields of AMCT's record file, those of all frameworks in one schema, and which of them can be honoured.

Sources: ``scale_offset_record_pytorch.proto`` and ``basic_info.proto`` of ``hicann/amct``, and for the other frameworks
AMCT's documentation.  ``MapFiledEntry`` is spelt as it is there.
"""

from __future__ import annotations

from collections.abc import Mapping

from onnxpress.ascend.text_messages import Schema

SCHEMA: Schema = {
    "ScaleOffsetRecord": {"record": "repeated MapFiledEntry", "prune_record": "repeated PruneRecord"},
    "MapFiledEntry": {"key": "string", "value": "SingleLayerRecord", "kv_cache_value": "SingleLayerKVCacheRecord"},
    "SingleLayerRecord": {
        "scale_d": "float",
        "offset_d": "int32",
        "scale_w": "repeated float",
        "offset_w": "repeated int32",
        "shift_bit": "repeated uint32",
        "tensor_balance_factor": "repeated float",
        "skip_fusion": "bool",
        "dst_type": "string",
        "act_type": "string",
        "wts_type": "string",
        "op_data_type": "string",
        "fakequant_precision_mode": "string",
        "is_tensor_quantize": "bool",
        "channels": "uint32",
        "height": "uint32",
        "width": "uint32",
        "cluster": "repeated int32",
        "scale_h": "float",
        "offset_h": "int32",
        "scale_r": "repeated float",
        "offset_r": "repeated int32",
    },
    "SingleLayerKVCacheRecord": {"scale": "repeated float", "offset": "repeated int32"},
    "PruneRecord": {
        "producer": "repeated PruneNode",
        "consumer": "repeated PruneNode",
        "selective_prune": "PruneNode",
    },
    "PruneNode": {"name": "string", "attr": "repeated AttrProto"},
    "AttrProto": {
        "name": "string",
        "type": "AttrType",
        "f": "float",
        "i": "int64",
        "s": "bytes",
        "floats": "repeated float",
        "ints": "repeated int64",
        "strings": "repeated bytes",
    },
    "AttrType": ("UNDEFINED", "FLOAT", "INT", "STRING", "FLOATS", "INTS", "STRINGS"),
}
"""Every field of every framework."""

WORDS: Mapping[str, tuple[str, ...]] = {
    "dst_type": ("INT8", "UNSET"),
    "act_type": ("INT8", "UNSET"),
    "wts_type": ("INT8", "UNSET"),
    "op_data_type": ("FLOAT32",),
    "fakequant_precision_mode": ("DEFAULT", "FORCE_FP16_QUANT"),
}
"""What the fields of a layer that hold a word may say; the first word is what a missing field says."""

_RECURRENT = "is there, and the integers of LSTM and GRU are not supported"

REFUSED: Mapping[str, str] = {
    "cluster": "is there, and weights are not clustered",
    **dict.fromkeys(("scale_h", "offset_h", "scale_r", "offset_r"), _RECURRENT),
}
"""The fields of a layer that nothing here can honour, and why."""
