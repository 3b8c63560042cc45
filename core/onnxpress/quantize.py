"""Affine quantisation, the one place with scale, zero point, rounding and saturation.

    q = saturate(round_half_even(x / scale) + zero_point)          x' = (q - zero_point) * scale

in float32 and bit by bit as onnxruntime's QuantizeLinear and DequantizeLinear compute it on the CPU
(onnx.ai/onnx/operators, opset 13 and 21).  Zero is always exactly representable, and no scale is zero, infinite or
subnormal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from onnxpress.targets import Scheme

SMALLEST_SCALE = np.finfo(np.float32).tiny
"""The smallest normal float32; onnxruntime may flush anything below it to zero."""


def parameters(low: float, high: float, scheme: Scheme) -> tuple[np.float32, int]:
    """Scale and zero point for the closed interval ``[low, high]``, widened until it holds zero.

    An interval of zero alone is treated as ``[0, 1]``: any scale represents it.

    Args:
        low: Smallest value to represent, finite.
        high: Largest value to represent, finite, not below `low`.
        scheme: The integers to use.

    Returns:
        Scale (normal, finite, positive, at least ``scheme.smallest_scale``) and zero point.

    Raises:
        ValueError: The interval is not finite or not ordered.
    """
    if not (np.isfinite(low) and np.isfinite(high) and low <= high):
        raise ValueError(f"a range must be finite and ordered, not [{low}, {high}]")
    low, high = min(float(low), 0.0), max(float(high), 0.0)
    if low == high:
        high = 1.0
    if scheme.symmetric:
        zero_point = (scheme.low + scheme.high + 1) // 2
        scale = _scale(max(low / (scheme.low - zero_point), high / (scheme.high - zero_point)), scheme)
        return scale, zero_point
    scale = _scale(high / (scheme.high - scheme.low) - low / (scheme.high - scheme.low), scheme)
    zero_point = scheme.low + round(-low / float(scale))
    return scale, min(max(zero_point, scheme.low), scheme.high)


def weight_scales(weight: NDArray[Any], axis: int | None, scheme: Scheme) -> NDArray[np.float32]:
    """Symmetric scales that represent the largest magnitude of every channel, or of the whole tensor.

    Args:
        weight: Finite values, any shape.
        axis: The channel axis; None for one scale.
        scheme: The integers to use.

    Returns:
        Scales, shape ``(channels,)`` or ``()``; zero where a channel holds nothing but zeros, so that the caller can
        choose a scale that suits its bias.
    """
    others = None if axis is None else tuple(index for index in range(weight.ndim) if index != axis % weight.ndim)
    largest = np.abs(weight).max(axis=others, initial=0.0).astype(np.float64)
    scales = np.maximum((largest / scheme.high).astype(np.float32), np.float32(scheme.smallest_scale))
    return np.where(largest > 0, scales, np.float32(0)).astype(np.float32)


def quantize(
    x: NDArray[np.float32], scale: ArrayLike, zero_point: ArrayLike, *, dtype: str, axis: int | None = None
) -> NDArray[Any]:
    """QuantizeLinear: float32 to integers.

    Infinities saturate.  NaN has no integer; like onnxruntime's vector code this gives the smallest one.

    Args:
        x: Any shape.
        scale: Positive, shape ``()`` or, with `axis`, ``(x.shape[axis],)``.
        zero_point: Integers of the same shape as `scale`.
        dtype: ``int8``, ``uint8``, ``int16``, ``uint16`` or ``int32``.
        axis: The axis that `scale` and `zero_point` index; None for one scale.

    Returns:
        Integers of `dtype`, the shape of `x`.
    """
    limits = np.iinfo(dtype)
    exact = np.float32 if limits.bits <= 16 else np.float64  # holds every integer of dtype
    values = np.asarray(x, dtype=np.float32)
    offset = _align(np.asarray(zero_point, dtype=exact), values.ndim, axis)
    with np.errstate(over="ignore", invalid="ignore"):
        ratio: NDArray[Any] = np.asarray(
            values / _align(np.asarray(scale, dtype=np.float32), values.ndim, axis), dtype=exact
        )
    np.rint(ratio, out=ratio)
    ratio += offset
    np.nan_to_num(ratio, copy=False, nan=limits.min, posinf=np.inf, neginf=-np.inf)
    return np.asarray(ratio.clip(limits.min, limits.max)).astype(dtype)


def dequantize(
    q: NDArray[Any], scale: ArrayLike, zero_point: ArrayLike, *, axis: int | None = None
) -> NDArray[np.float32]:
    """DequantizeLinear: integers to float32.

    Args:
        q: Integers of up to 32 bits, any shape.
        scale: Shape ``()`` or, with `axis`, ``(q.shape[axis],)``.
        zero_point: Integers of the same shape as `scale`.
        axis: The axis that `scale` and `zero_point` index; None for one scale.

    Returns:
        Values, the shape of `q`.
    """
    offset = _align(np.asarray(zero_point, dtype=np.int32), q.ndim, axis)
    with np.errstate(over="ignore", invalid="ignore"):
        difference = (np.asarray(q).astype(np.int32) - offset).astype(np.float32)
        return np.asarray(difference * _align(np.asarray(scale, dtype=np.float32), q.ndim, axis), dtype=np.float32)


def _scale(exact: float, scheme: Scheme) -> np.float32:
    return np.float32(min(max(exact, scheme.smallest_scale), float(np.finfo(np.float32).max)))


def _align(values: NDArray[Any], rank: int, axis: int | None) -> NDArray[Any]:
    if axis is None or values.ndim == 0:
        return values
    return values.reshape([-1 if index == axis % rank else 1 for index in range(rank)])
