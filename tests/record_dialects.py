"""The record files of AMCT's frameworks as generated protobuf code sees them: with tags, and with no field too many."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_FIELD = descriptor_pb2.FieldDescriptorProto
_LAYER = {
    "scale_d": (1, "float"),
    "offset_d": (2, "int32"),
    "scale_w": (3, "repeated float"),
    "offset_w": (4, "repeated int32"),
    "shift_bit": (5, "repeated uint32"),
}
_TYPES = {"dst_type": (10, "string"), "act_type": (11, "string"), "wts_type": (12, "string")}
LAYERS: Mapping[str, Mapping[str, tuple[int, str]]] = {
    "PyTorch": {
        **_LAYER,
        "tensor_balance_factor": (6, "repeated float"),
        "skip_fusion": (9, "bool"),
        **_TYPES,
        "fakequant_precision_mode": (13, "string"),
        "scale_h": (21, "float"),
        "offset_h": (22, "int32"),
        "scale_r": (23, "repeated float"),
        "offset_r": (24, "repeated int32"),
    },
    "ONNX": {
        **_LAYER,
        "skip_fusion": (6, "bool"),
        "dst_type": (7, "string"),
        "is_tensor_quantize": (10, "bool"),
        "tensor_balance_factor": (13, "repeated float"),
        "op_data_type": (15, "string"),
        "act_type": (20, "string"),
        "wts_type": (21, "string"),
    },
    "TensorFlow": {**_LAYER, "skip_fusion": (9, "bool"), "dst_type": (10, "string")},
    "Caffe": {
        **_LAYER,
        "channels": (6, "uint32"),
        "height": (7, "uint32"),
        "width": (8, "uint32"),
        "skip_fusion": (9, "bool"),
    },
}


def record_type(dialect: str) -> Any:
    """``ScaleOffsetRecord`` as one of AMCT's frameworks knows it."""
    messages: dict[str, Mapping[str, tuple[int, str]]] = {
        "SingleLayerRecord": LAYERS[dialect],
        "MapFiledEntry": {"key": (1, "string"), "value": (2, "SingleLayerRecord")},
        "ScaleOffsetRecord": {"record": (1, "repeated MapFiledEntry")},
    }
    file = descriptor_pb2.FileDescriptorProto(name=f"{dialect}.proto", package=dialect, syntax="proto2")
    for name, fields in messages.items():
        message = file.message_type.add(name=name)
        for field, (number, spelt) in fields.items():
            label, _, held = spelt.rpartition(" ")
            made = message.field.add(name=field, number=number)
            made.label = _FIELD.LABEL_REPEATED if label else _FIELD.LABEL_OPTIONAL
            if held in messages:
                made.type_name = f".{dialect}.{held}"
            else:
                made.type = _FIELD.Type.Value(f"TYPE_{held.upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{dialect}.ScaleOffsetRecord"))
