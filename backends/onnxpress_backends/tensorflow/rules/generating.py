"""Tensors made from little: constants, fills, ranges, diagonals, one-hot vectors, and the sizes of other tensors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx_ir as ir

from onnxpress_backends.tensorflow.call import Call, Rule
from onnxpress_backends.tensorflow.geometry.terms import Term, count, given, sizes
from onnxpress_backends.tensorflow.graphs.dtypes import DType, of_onnx
from onnxpress_backends.tensorflow.graphs.graph import Tensor
from onnxpress_backends.tensorflow.layout.layouts import Layout
from onnxpress_backends.tensorflow.layout.values import Laid, Value

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SPELT = {
    "value_float": np.float32,
    "value_floats": np.float32,
    "value_int": np.int64,
    "value_ints": np.int64,
    "value_string": np.object_,
    "value_strings": np.object_,
}
"""Attributes that hold a value as plain numbers or text, and its type."""


def constant(call: Call) -> Value:
    """Constant, in any of its spellings."""
    (name, attribute), *_ = call.node.attributes.items()
    if name == "value":
        return call.scope.known(call.node.outputs[0], attribute.as_tensor())
    if name not in _SPELT:
        call.refuse(f"its attribute {name!r} is not supported; store the value densely, as 'value'")
    array: NDArray[Any] = np.array(attribute.value, _SPELT[name])
    if array.dtype.kind == "O":
        text = [item.encode() for item in array.reshape(-1).tolist()]
        return call.scope.known(call.node.outputs[0], ir.StringTensor(text, shape=ir.Shape(array.shape)))
    return call.scope.known(call.node.outputs[0], ir.tensor(array))


def constant_of_shape(call: Call) -> Tensor:
    """One value, repeated."""
    value = call.attribute("value")
    fill: Any = np.float32(0) if value is None else value.numpy().reshape(())
    shape = call.constant(0)
    dims = call.tensor(0) if shape is None else call.const(shape, DType.INT32)
    return call.emit("Fill", dims, call.const(fill, call.output_dtype()))


def numbers(call: Call) -> Tensor:
    """Range: ``start + i * delta`` for as many i as stay below the limit; TensorFlow has no empty ones."""
    terms = [given(call, index) for index in range(3)]
    first, limit, step = (each if call.value(index).shape == () else each.scalar() for index, each in enumerate(terms))
    dtype = call.dtype(0)
    if dtype in (DType.INT32, DType.INT64) and step.known is not None:
        end = limit.least(first) if int(step.known) > 0 else limit.most(first)
        return call.emit("Range", first.tensor, end.tensor, step.tensor)
    wide = DType.FLOAT if dtype in (DType.HALF, DType.BFLOAT16) else DType.INT32 if dtype == DType.INT16 else dtype
    first, limit, step = (each.to(wide) for each in (first, limit, step))
    steps: Term = ((limit - first) / step).ceil() if wide.is_float else -((first - limit) // step)
    result: Term = count(call, steps.to(DType.INT32).least(0)).to(wide) * step + first
    return result.to(dtype).tensor


def eye_like(call: Call) -> Tensor:
    """Ones on a diagonal of a matrix of the input's shape."""
    kind, k = call.attribute("dtype"), float(call.attribute("k", 0))
    dtype = call.dtype(0) if kind is None else of_onnx(ir.DataType(kind), "the output")
    rows, columns = (count(call, size) for size in sizes(call, 0))
    return (rows.at(1) + k).equals(columns.at(0)).to(dtype).tensor


def shape(call: Call) -> Tensor:
    """Shape, or a part of it."""
    vector = call.runtime_shape(0)
    start, end = call.attribute("start", 0), call.attribute("end")
    if start == 0 and end is None:
        return vector
    bounds = (call.const([bound or 0], DType.INT32) for bound in (start, end))
    return call.emit("StridedSlice", vector, *bounds, call.const([1], DType.INT32), end_mask=int(end is None))


def size(call: Call) -> Tensor:
    """Number of elements."""
    return call.emit("Size", call.value(0).laid.tensor, out_type=DType.INT64)


def one_hot(call: Call) -> Laid | Tensor:
    """OneHot: negative indices count from the end; what is out of range gives no one."""
    tensor, layout = call.value(0).permuted
    depth, values = given(call, 1).scalar(), given(call, 2)
    indices = Term(call, call.cast(tensor, DType.INT64))
    depth = depth.to(DType.INT64)
    wrapped = (indices < 0).where(indices + depth, indices)
    on, off = values[1].tensor, values[0].tensor
    axis = call.attribute("axis", -1)
    deep = depth.to(DType.INT32).tensor
    if layout is None:
        return call.emit("OneHot", wrapped.tensor, deep, on, off, axis=axis)
    axis %= layout.rank + 1
    after = Layout((*(each + (each >= axis) for each in layout.perm), axis))
    if layout.is_logical:
        return call.emit("OneHot", wrapped.tensor, deep, on, off, axis=-1 if axis == layout.rank else axis)
    return Laid(call.emit("OneHot", wrapped.tensor, deep, on, off, axis=-1), after)


RULES: Mapping[str, Rule] = {
    "Constant": constant,
    "ConstantOfShape": constant_of_shape,
    "EyeLike": eye_like,
    "OneHot": one_hot,
    "Range": numbers,
    "Shape": shape,
    "Size": size,
}
