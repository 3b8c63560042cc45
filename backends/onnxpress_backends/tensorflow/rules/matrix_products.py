"""Products of matrices: MatMul, Gemm and the determinant.

An operand whose last two axes lie the other way round is multiplied as it lies, with TensorFlow's transposing flag.  A
matrix meets a stack of them as TensorFlow's users have it: the rows of all of them in one product.  A flattened image
whose elements lie in another order than ONNX's meets a constant matrix: the rows of the matrix are put into that order
on paper, and the image stays as it lies.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from onnxpress_backends.tensorflow.call import Call, Rule
from onnxpress_backends.tensorflow.graphs.dtypes import DType
from onnxpress_backends.tensorflow.graphs.graph import Tensor
from onnxpress_backends.tensorflow.layout.layouts import Layout, logical
from onnxpress_backends.tensorflow.layout.values import Laid

_VIA: Mapping[DType, DType] = {
    DType.INT8: DType.INT32,
    DType.UINT8: DType.INT32,
    DType.UINT16: DType.INT32,
    DType.UINT32: DType.INT64,
    DType.UINT64: DType.INT64,
}
"""Integers without a kernel, and those whose products are the same in the bits that are kept."""


class _Operand(NamedTuple):
    """Matrices to multiply; `turned`: their last two axes are swapped."""

    tensor: Tensor
    turned: bool = False


def mat_mul(call: Call) -> Laid | Tensor:
    """MatMul of vectors, matrices and stacks of matrices, broadcast."""
    left, right = call.rank(0), call.rank(1)
    if left == right == 2:
        return Laid(_product(call, transpose_left=False, transpose_right=False), logical(2))
    if left > 2 and right == 2:
        return _rows(call)
    first, second = _stack(call, 0), _stack(call, 1)
    op, flags = ("MatMul", ("transpose_a", "transpose_b")) if max(left, right) < 3 else ("BatchMatMulV2", _ADJOINT)
    attrs = {flags[0]: first.turned, flags[1]: second.turned}
    result = _multiplied(call, op, first.tensor, second.tensor, **attrs)
    gone = [-2] * (left == 1) + [-1] * (right == 1)
    return call.emit("Squeeze", result, squeeze_dims=gone) if gone else result


_ADJOINT = ("adj_x", "adj_y")


def _stack(call: Call, index: int) -> _Operand:
    """Input `index` as matrices; a vector becomes a row on the left, a column on the right."""
    value, rank = call.value(index), call.rank(index)
    if rank == 1:
        return _Operand(call.emit("ExpandDims", value.tensor(), call.const(index, DType.INT32)))
    turned = Layout((*range(rank - 2), rank - 1, rank - 2))
    layout = value.laid.layout
    if layout is not None and layout.split is None and value.constant is None and layout.perm[-1] == rank - 2:
        return _Operand(value.tensor(turned), turned=True)
    return _Operand(value.tensor())


def _rows(call: Call) -> Laid:
    """A stack of matrices by one matrix: the columns must lie last, the order of the other axes does not matter."""
    _, start = call.value(0).permuted
    rank = call.rank(0)
    layout = start if start is not None and start.perm[-1] == rank - 1 else logical(rank)
    tensor, matrix = call.tensor(0, layout), _matrix(call, 1)
    shape = layout.arrange(call.shape(0))[:-1]
    if shape.count(None) > 1:
        return Laid(_multiplied(call, "BatchMatMulV2", tensor, matrix.tensor, adj_y=matrix.turned), layout)
    sizes = [-1 if size is None else size for size in shape]
    inner, columns = call.shape(1)
    if inner is None or columns is None:
        return Laid(_multiplied(call, "BatchMatMulV2", tensor, matrix.tensor, adj_y=matrix.turned), layout)
    if tensor.node.op == "Reshape":
        tensor = tensor.node.inputs[0]
    rows = tensor if _is_product(tensor, inner) else call.emit("Reshape", tensor, call.const([-1, inner], DType.INT32))
    result = _multiplied(call, "MatMul", rows, matrix.tensor, transpose_b=matrix.turned)
    return Laid(call.emit("Reshape", result, call.const([*sizes, columns], DType.INT32)), layout)


def _is_product(tensor: Tensor, columns: int) -> bool:
    """Whether it is a matrix of so many columns as it is: the product of other rows with a constant."""
    if tensor.node.op != "MatMul":
        return False
    weight = tensor.node.inputs[1].node.weight
    return weight is not None and not tensor.node.attrs["transpose_b"] and weight.arrangement.shape[-1] == columns


def _matrix(call: Call, index: int) -> _Operand:
    """A matrix as it lies."""
    value = call.value(index)
    layout = value.laid.layout if value.constant is None else None
    if layout is not None and layout.perm == (1, 0):
        return _Operand(value.laid.tensor, turned=True)
    return _Operand(value.tensor())


def gemm(call: Call) -> Laid:
    """``alpha * A @ B + beta * C``."""
    transposed = bool(call.attribute("transA", 0)), bool(call.attribute("transB", 0))
    result = _product(call, transpose_left=transposed[0], transpose_right=transposed[1])
    alpha, beta = call.attribute("alpha", 1.0), call.attribute("beta", 1.0)
    if alpha != 1:
        result = call.emit("Mul", result, call.const(alpha, result.dtype))
    if call.has(2) and beta != 0:
        addend = call.tensor(2)
        if beta != 1:
            addend = call.emit("Mul", addend, call.const(beta, addend.dtype))
        bias = call.rank(2) == 1 and call.shape(2)[0] not in (1, None)
        result = call.emit("BiasAdd" if bias else "AddV2", result, addend)
    return Laid(result, logical(2))


def _product(call: Call, *, transpose_left: bool, transpose_right: bool) -> Tensor:
    """Two matrices; a constant on the right is transposed on paper."""
    if call.value(1).constant is None:
        left, right = _matrix(call, 0), _matrix(call, 1)
        flags = {"transpose_a": left.turned != transpose_left, "transpose_b": right.turned != transpose_right}
        return _multiplied(call, "MatMul", left.tensor, right.tensor, **flags)
    value, layout = call.value(0), call.value(0).laid.layout
    split = layout.split if layout is not None else None
    if split is None or split.axis != 1 or transpose_left:
        left, split = _matrix(call, 0), None
    else:
        left = _Operand(value.laid.tensor)
    rows, columns = call.sizes(1)[::-1] if transpose_right else call.sizes(1)
    inner = split.sizes if split is not None else (rows,)
    order = split.order if split is not None else (0,)
    if transpose_right:
        view, perm = (columns, *inner), (*(axis + 1 for axis in order), 0)
    else:
        view, perm = (*inner, columns), (*order, len(inner))
    weight = call.weight(1, view, perm, (rows, columns))
    return _multiplied(call, "MatMul", left.tensor, weight, transpose_a=left.turned != transpose_left)


def _multiplied(call: Call, op: str, left: Tensor, right: Tensor, **flags: bool) -> Tensor:
    """A product of any type that ONNX multiplies."""
    dtype = left.dtype
    via = _VIA.get(dtype, dtype)
    return call.cast(call.emit(op, call.cast(left, via), call.cast(right, via), **flags), dtype)


def determinant(call: Call) -> Tensor:
    """Det of a matrix or of each of a stack; TensorFlow has single and double precision."""
    tensor = call.tensor(0)
    wide = tensor.dtype if tensor.dtype == DType.DOUBLE else DType.FLOAT
    return call.cast(call.emit("MatrixDeterminant", call.cast(tensor, wide)), tensor.dtype)


RULES: Mapping[str, Rule] = {
    "Det": determinant,
    "Gemm": gemm,
    "MatMul": mat_mul,
}
