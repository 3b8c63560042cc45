"""Text: joining, splitting, matching, cleaning; words and labels looked up in a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from onnxpress_backends.tensorflow.call import Call, Rule
from onnxpress_backends.tensorflow.graphs.dtypes import DType, of_numpy
from onnxpress_backends.tensorflow.graphs.graph import Tensor
from onnxpress_backends.tensorflow.layout.broadcasting import aligned
from onnxpress_backends.tensorflow.layout.values import Laid

if TYPE_CHECKING:
    from numpy.typing import NDArray


def string_concat(call: Call) -> Laid:
    """StringConcat; TensorFlow joins text of one shape."""
    pair, layout = aligned(call, call.values)
    if call.value(0).shape != call.value(1).shape or None in (call.value(0).shape or (None,)):
        shape = call.emit("BroadcastArgs", *(call.emit("Shape", each) for each in pair))
        pair = [call.emit("BroadcastTo", each, shape) for each in pair]
    return Laid(call.emit("StringJoin", pair), layout)


def regex_full_match(call: Call) -> Laid:
    """RegexFullMatch; both libraries read RE2's syntax."""
    tensor, layout = call.value(0).permuted
    return Laid(call.emit("RegexFullMatch", tensor, call.const(call.attribute("pattern", ""), DType.STRING)), layout)


def string_split(call: Call) -> Sequence[Tensor]:
    """StringSplit: the parts of each text, filled up with empty ones, and how many there are.

    Split at white space, no part is empty, but TensorFlow puts an empty one behind a text that it need not split
    further.
    """
    shape, row = call.runtime_shape(0), call.const([-1], DType.INT32)
    flat = call.emit("Reshape", call.tensor(0), row)
    separator = call.const(call.attribute("delimiter", ""), DType.STRING)
    node = call.emit_node("StringSplitV2", flat, separator, maxsplit=call.attribute("maxsplit", -1))
    indices, parts = Tensor(node, 0), Tensor(node, 1)
    zero, column = call.const(0, DType.INT32), call.const(1, DType.INT32)
    if not call.attribute("delimiter"):
        solid = call.emit("Where", call.emit("NotEqual", parts, call.const("", DType.STRING)))
        solid = call.emit("Squeeze", solid, squeeze_dims=[1])
        indices, parts = (call.emit("GatherV2", each, solid, zero) for each in (indices, parts))
    texts, many = call.emit("GatherV2", indices, zero, column), call.emit("Size", flat, out_type=DType.INT64)
    counts = call.emit("UnsortedSegmentSum", call.emit("OnesLike", texts), texts, many)
    columns = call.emit("Max", call.emit("ConcatV2", [counts, call.const([0], DType.INT64)], zero), zero)
    dense = call.emit("ScatterNd", indices, parts, call.emit("Pack", [many, columns]))
    wide = call.emit("ConcatV2", [shape, call.emit("ExpandDims", columns, zero)], zero)
    return call.emit("Reshape", dense, wide), call.emit("Reshape", counts, shape)


def string_normalizer(call: Call) -> Tensor:
    """StringNormalizer: stop words go, what stays is put in one case; one empty text if nothing stays."""
    tensor, row = call.tensor(0), call.const([-1], DType.INT32)
    action, stop = call.attribute("case_change_action", "NONE"), call.attribute("stopwords") or []
    if stop:
        zero, one = call.const([0], DType.INT32), call.const([1], DType.INT32)
        tensor = call.emit("Reshape", tensor, row)
        places = call.emit("Squeeze", call.emit("Where", _stays(call, tensor, stop)), squeeze_dims=[1])
        kept = call.emit("GatherV2", tensor, places, call.const(0, DType.INT32))
        many = call.emit("Maximum", call.emit("Size", kept), call.const(1, DType.INT32))
        filled = call.emit("ConcatV2", [kept, call.const([""], DType.STRING)], call.const(0, DType.INT32))
        tensor = call.emit("StridedSlice", filled, zero, call.emit("Reshape", many, one), one)
        if call.rank(0) == 2:
            tensor = call.emit("ExpandDims", tensor, call.const(0, DType.INT32))
    if action in _CASES:
        tensor = call.emit(_CASES[action], tensor, encoding="utf-8")
    return tensor


_CASES: Mapping[str, str] = {"LOWER": "StringLower", "UPPER": "StringUpper"}


def _stays(call: Call, texts: Tensor, stop: Sequence[str]) -> Tensor:
    """Which of the texts are no stop words."""
    if not call.attribute("is_case_sensitive", 0):
        texts, stop = call.emit("StringLower", texts, encoding="utf-8"), [word.lower() for word in stop]
    column = call.emit("ExpandDims", texts, call.const(1, DType.INT32))
    differs = call.emit("NotEqual", column, call.const(list(stop), DType.STRING))
    return call.emit("All", differs, call.const([1], DType.INT32))


def label_encoder(call: Call) -> Laid:
    """LabelEncoder: the value of the key that is equal, a default where none is."""
    tensor, layout = call.value(0).permuted
    keys, values = _table(call, "keys"), _table(call, "values")
    column = call.emit("ExpandDims", tensor, call.const(-1, DType.INT32))
    equal = call.emit("Equal", column, call.const(keys, tensor.dtype))
    last = call.const([-1], DType.INT32)
    place = call.emit("ArgMax", call.cast(equal, DType.INT32), call.const(-1, DType.INT32))
    dtype = of_numpy(values.dtype)
    found = call.emit("GatherV2", call.const(values, dtype), place, call.const(0, DType.INT32))
    default = call.const(_default(call, values), dtype)
    return Laid(call.emit("SelectV2", call.emit("Any", equal, last), found, default), layout)


def _table(call: Call, side: str) -> NDArray[Any]:
    tensor = call.attribute(f"{side}_tensor")
    if tensor is not None:
        array: NDArray[Any] = tensor.numpy().reshape(-1)
        return array
    for kind, dtype in (("floats", np.float32), ("int64s", np.int64), ("strings", np.object_)):
        listed = call.attribute(f"{side}_{kind}")
        if listed is not None:
            return np.array(listed, dtype)
    call.refuse(f"it has no {side}")


def _default(call: Call, values: NDArray[Any]) -> Any:
    tensor = call.attribute("default_tensor")
    if tensor is not None:
        return tensor.numpy().reshape(())
    if values.dtype.kind == "O":
        return call.attribute("default_string", "_Unused")
    return call.attribute("default_int64", -1) if values.dtype.kind == "i" else call.attribute("default_float", -0.0)


def binarizer(call: Call) -> Laid:
    """Binarizer: 1 above a threshold, else 0."""
    tensor, layout = call.value(0).laid
    above = call.emit("Greater", tensor, call.const(call.attribute("threshold", 0.0), tensor.dtype))
    return Laid(call.cast(above, tensor.dtype), layout)


RULES: Mapping[str, Rule] = {
    "RegexFullMatch": regex_full_match,
    "StringConcat": string_concat,
    "StringNormalizer": string_normalizer,
    "StringSplit": string_split,
    "ai.onnx.ml::Binarizer": binarizer,
    "ai.onnx.ml::LabelEncoder": label_encoder,
}
