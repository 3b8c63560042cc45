"""What must hold of each of Ascend's operators in a GraphDef by itself: attributes, and the constants that it reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import onnx_ir as ir

from onnxpress.ascend.operators import ANTI_QUANT, DEQUANT, QUANT, WEIGHT_QUANT, unpack
from onnxpress.ascend.prototypes import PROTOTYPES, Attribute
from onnxpress_backends.ascend.frozen_graphs.frozen_nodes import FrozenNodes, constant, title
from onnxpress_backends.tensorflow.graphs.dtypes import DType

_T = Attribute(type=ir.AttributeType.INT, required=True, words=(DType.FLOAT.value,))
_INT8 = Attribute(type=ir.AttributeType.STRING, required=True, words=("INT8",))
_QUANT, _ANTI_QUANT = PROTOTYPES[QUANT].attributes, PROTOTYPES[ANTI_QUANT].attributes

_ATTRIBUTES: Mapping[str, Mapping[str, Attribute]] = {
    QUANT: {
        "T": _T,
        "dst_type": _INT8,
        "quant_bits": Attribute(type=ir.AttributeType.INT, required=True, words=(8,)),
        "scale": _QUANT["scale"],
        "offset": _QUANT["offset"],
    },
    WEIGHT_QUANT: {"T": _T, "dst_type": _INT8},
    DEQUANT: {
        "T": _T,
        "ksize": Attribute(type=ir.AttributeType.INTS, required=True, low=1),
        "data_format": Attribute(type=ir.AttributeType.STRING, required=True, words=("NHWC",)),
    },
    ANTI_QUANT: {
        "T": _T,
        "scale": _ANTI_QUANT["scale"],
        "offset": Attribute(type=ir.AttributeType.FLOAT, required=True, low=-127, high=128, whole=True),
    },
}
"""By operator; each of these must be there, and no other."""


def breaches(nodes: FrozenNodes, node: Any) -> Iterator[str]:
    """What is wrong with a node that is one of Ascend's."""
    expected = _ATTRIBUTES[node.op]
    given = {name: value for name, value in node.attr.items() if not name.startswith("_")}
    for name in given:
        if name not in expected:
            yield f"{title(node)} has no attribute {name!r}; it takes {', '.join(expected)}"
    for name, rule in expected.items():
        if name not in given:
            yield f"{title(node)}: attribute {name!r} is missing; it must be {rule}"
        elif (attribute := _read(name, given[name])) is None or not rule.takes(attribute):
            shown = "of another type" if attribute is None else attribute.value
            yield f"{title(node)}: attribute {name!r} is {shown}; it must be {rule}"
    if node.op == DEQUANT:
        yield from _word_breaches(nodes, node)
    elif node.op == WEIGHT_QUANT:
        yield from _weight_breaches(nodes, node)


def _read(name: str, value: Any) -> ir.Attr | None:
    """An attribute of TensorFlow's as one of ONNX's."""
    kind = value.WhichOneof("value")
    if kind == "f":
        return ir.AttrFloat32(name, value.f)
    if kind == "s":
        return ir.AttrString(name, value.s.decode("utf-8", "replace"))
    if kind == "list":
        return ir.AttrInt64s(name, list(value.list.i))
    return ir.AttrInt64(name, getattr(value, kind)) if kind in ("i", "type") else None


def _word_breaches(nodes: FrozenNodes, node: Any) -> Iterator[str]:
    words = constant(nodes.source(node, 1))
    if words is None or words.dtype != np.uint64 or words.ndim != 1:
        yield f"{title(node)}: deq_scale must be a constant vector of uint64"
        return
    if (words >> np.uint64(32)).any():
        yield f"{title(node)}: deq_scale has a shift or an offset in its high words, which must be 0"
    scales, limits = unpack(words), np.finfo(np.float32)
    wrong = scales[~((scales >= limits.tiny) & (scales <= limits.max))]
    if wrong.size:
        yield f"{title(node)}: deq_scale holds {wrong[0]:g}, not a normal positive float32"


def _weight_breaches(nodes: FrozenNodes, node: Any) -> Iterator[str]:
    weight, offset = constant(nodes.source(node, 0)), constant(nodes.source(node, 1))
    if weight is None or weight.dtype != np.int8:
        yield f"{title(node)}: its weight must be a constant of int8"
        return
    if offset is None or offset.dtype != np.int8 or offset.any():
        yield f"{title(node)}: its offset must be a constant of int8 zeros, for weights are symmetric"
        return
    along = [tuple(size if place == axis else 1 for place, size in enumerate(weight.shape)) for axis in (2, 3)]
    if offset.shape != (1,) and not (weight.ndim == 4 and offset.shape in along):
        yield f"{title(node)}: its offset has shape {list(offset.shape)}, which is neither [1] nor one for each channel"
