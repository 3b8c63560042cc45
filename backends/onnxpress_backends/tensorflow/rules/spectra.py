"""Fourier transforms: DFT along any axis, and STFT, that of frames cut from a signal.

Complex numbers are pairs along the last axis in ONNX and a type in TensorFlow, which transforms the last axis: the axis
is swapped with the one before the pairs, and swapped back.  The forward transform sums in double precision, so that
frequencies cancel that do; the inverse, which divides by the number of points, needs no more than its input has.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from onnxpress_backends.tensorflow.call import Call, Rule
from onnxpress_backends.tensorflow.geometry.terms import Term, count, given, packed, sizes, term
from onnxpress_backends.tensorflow.graphs.dtypes import DType
from onnxpress_backends.tensorflow.graphs.graph import Tensor


def dft(call: Call) -> Tensor:
    """DFT and its inverse; one-sided, from or to real numbers."""
    rank, dims = call.rank(0), sizes(call, 0)
    components = _components(call)
    order = _swap(call, rank)
    inverse, onesided = call.attribute("inverse", 0), call.attribute("onesided", 0)
    single = inverse and call.dtype(0) != DType.DOUBLE
    tensor = call.cast(call.tensor(0), DType.FLOAT if single else DType.DOUBLE)
    if order is not None:
        tensor = call.emit("Transpose", tensor, order.tensor)
    length = _length(call, order, dims, halved=bool(inverse and onesided))
    if call.has(1):
        tensor = _fitted(call, tensor, rank, length // 2 + 1 if inverse and onesided else length)
    if inverse:
        result = _inverse(call, tensor, components, length, onesided=bool(onesided))
    else:
        result = _forward(call, tensor, components, length, onesided=bool(onesided))
    if order is not None:
        result = call.emit("Transpose", result, order.tensor)
    return call.cast(result, call.dtype(0))


def _swap(call: Call, rank: int) -> Term | None:
    """The permutation that swaps the axis with the one before the pairs; None: it is that one."""
    axis = term(call, call.attribute("axis", 1)) if call.opset < 20 else term(call, -2)
    if call.has(2):
        axis = given(call, 2).to(DType.INT32)
    axis, to = axis % rank, rank - 2
    order = np.arange(rank, dtype=np.int32)
    if axis.known is None:
        places = packed(call, [axis, term(call, to)])
        moved = packed(call, [term(call, to), axis])
        swapped = call.emit("TensorScatterUpdate", call.const(order, DType.INT32), places.at(1).tensor, moved.tensor)
        return Term(call, swapped)
    order[[int(axis.known), to]] = to, int(axis.known)
    return None if int(axis.known) == to else Term(call, order)


def _length(call: Call, order: Term | None, dims: list[Term], *, halved: bool) -> Term:
    """Points of the transform."""
    if call.has(1):
        return given(call, 1).scalar().to(DType.INT32)
    size = dims[-2] if order is None else packed(call, dims).take(order[len(dims) - 2])
    return (size - 1) * 2 if halved else size


def _fitted(call: Call, tensor: Tensor, rank: int, length: Term) -> Tensor:
    """The signal cut off or filled up with zeros, to `length` points."""
    have = Term(call, call.emit("Shape", tensor))[rank - 2]
    cut = [*([term(call, -1)] * (rank - 2)), have.most(length), term(call, -1)]
    tensor = call.emit("Slice", tensor, call.const([0] * rank, DType.INT32), packed(call, cut).tensor)
    nothing = packed(call, [term(call, 0)] * 2)
    missing = packed(call, [term(call, 0), (length - have).least(0)])
    return call.emit("Pad", tensor, packed(call, [*([nothing] * (rank - 2)), missing, nothing]).tensor)


def _components(call: Call) -> int:
    size = call.shape(0)[-1]
    if size is None:
        call.refuse("the last size must be known: 1 for real numbers, 2 for complex ones")
    return size


def _forward(call: Call, tensor: Tensor, components: int, length: Term, *, onesided: bool) -> Tensor:
    if not onesided:
        return _pairs(call, call.emit("FFT", _complex(call, tensor, components)))
    if components != 1:
        call.refuse("a one-sided transform is one of real numbers")
    real = call.emit("Squeeze", tensor, squeeze_dims=[-1])
    return _pairs(call, call.emit("RFFT", real, length.at(0).tensor, Tcomplex=_complex_type(tensor.dtype)))


def _inverse(call: Call, tensor: Tensor, components: int, length: Term, *, onesided: bool) -> Tensor:
    numbers = _complex(call, tensor, components)
    if not onesided:
        return _pairs(call, call.emit("IFFT", numbers))
    real = call.emit("IRFFT", numbers, length.at(0).tensor, Treal=tensor.dtype)
    return call.emit("ExpandDims", real, call.const(-1, DType.INT32))


def _complex(call: Call, tensor: Tensor, components: int) -> Tensor:
    if components == 1:
        real = call.emit("Squeeze", tensor, squeeze_dims=[-1])
        return call.emit("Complex", real, call.emit("ZerosLike", real), Tout=_complex_type(tensor.dtype))
    node = call.emit_node("Unpack", tensor, num=2, axis=-1)
    return call.emit("Complex", Tensor(node, 0), Tensor(node, 1), Tout=_complex_type(tensor.dtype))


def _pairs(call: Call, numbers: Tensor) -> Tensor:
    real = DType.DOUBLE if numbers.dtype == DType.COMPLEX128 else DType.FLOAT
    return call.emit("Pack", [call.emit(op, numbers, Tout=real) for op in ("Real", "Imag")], axis=-1)


def _complex_type(real: DType) -> DType:
    return DType.COMPLEX128 if real == DType.DOUBLE else DType.COMPLEX64


def stft(call: Call) -> Tensor:
    """STFT of signals [batch, length, 1 or 2]: frames, weighted by a window, transformed."""
    step, length, whole = given(call, 1).scalar().to(DType.INT32), _frame_length(call), sizes(call, 0)[1]
    frames = (whole - length) // step + 1
    places = (count(call, frames) * step).at(1) + count(call, length).at(0)
    signal = call.cast(call.tensor(0), DType.DOUBLE)
    components = _components(call)
    tensor = call.emit("GatherV2", signal, places.tensor, call.const(1, DType.INT32))
    if call.has(2):
        window = call.emit("ExpandDims", call.cast(call.tensor(2), DType.DOUBLE), call.const(-1, DType.INT32))
        tensor = call.emit("Mul", tensor, window)
    result = _forward(call, tensor, components, length, onesided=bool(call.attribute("onesided", 1)))
    return call.cast(result, call.dtype(0))


def _frame_length(call: Call) -> Term:
    if call.has(3):
        return given(call, 3).scalar().to(DType.INT32)
    return sizes(call, 2)[0] if call.has(2) else sizes(call, 0)[1]


RULES: Mapping[str, Rule] = {
    "DFT": dft,
    "STFT": stft,
}
