"""Products of matrices: MatMul and Gemm.

A flattened image whose elements lie in another order than ONNX's meets a constant matrix: the rows of the matrix are
put into that order on paper, and the image stays as it lies.
"""

from __future__ import annotations

from collections.abc import Mapping

from onnxpress_backends.tensorflow.call import Call, Rule
from onnxpress_backends.tensorflow.graph import Tensor
from onnxpress_backends.tensorflow.layouts import logical
from onnxpress_backends.tensorflow.values import Laid


def mat_mul(call: Call) -> Laid:
    """MatMul of matrices, or of stacks of them, broadcast."""
    left, right = call.rank(0), call.rank(1)
    if left == right == 2:
        return Laid(_product(call, transpose_left=False, transpose_right=False), logical(2))
    return Laid(call.emit("BatchMatMulV2", call.tensor(0), call.tensor(1)), logical(max(left, right)))


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
        bias = call.rank(2) == 1 and call.shape(2)[0] != 1
        result = call.emit("BiasAdd" if bias else "AddV2", result, addend)
    return Laid(result, logical(2))


def _product(call: Call, *, transpose_left: bool, transpose_right: bool) -> Tensor:
    left, layout = call.value(0).laid
    split = layout.split if layout is not None else None
    sizes = call.shape(1)
    if split is None or split.axis != 1 or transpose_left or call.value(1).constant is None:
        left, split = call.tensor(0), None
    if call.value(1).constant is None:
        right = call.tensor(1)
        return call.emit("MatMul", left, right, transpose_a=transpose_left, transpose_b=transpose_right)
    rows, columns = sizes[::-1] if transpose_right else sizes
    assert rows is not None and columns is not None
    inner = split.sizes if split is not None else (rows,)
    order = split.order if split is not None else (0,)
    if transpose_right:
        view, perm = (columns, *inner), (*(axis + 1 for axis in order), 0)
    else:
        view, perm = (*inner, columns), (*order, len(inner))
    weight = call.weight(1, view, perm, (rows, columns))
    return call.emit("MatMul", left, weight, transpose_a=transpose_left)


RULES: Mapping[str, Rule] = {
    "Gemm": gemm,
    "MatMul": mat_mul,
}
