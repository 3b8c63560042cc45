"""What Ascend's layers give, in int64 and numpy alone: one tap of a window after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]


def quantised(x: NDArray[np.float32], scale: float, offset: int, *, ties: str = "even") -> Integers:
    """AscendQuant in float32."""
    scaled = (x * np.float32(scale)).astype(np.float64)
    whole = np.rint(scaled) if ties == "even" else np.copysign(np.floor(np.abs(scaled) + 0.5), scaled)
    return np.clip(whole + offset, -128, 127).astype(np.int64)


def quantised_in_half(x: NDArray[np.float32], scale: float, offset: int) -> Integers:
    """AscendQuant in float16, operation by operation."""
    step = np.float32(scale)
    with np.errstate(over="ignore"):
        if 2.0**-14 <= step <= 65504:
            scaled = x.astype(np.float16) * np.float16(step)
        else:
            root = np.float16(np.sqrt(step))
            scaled = x.astype(np.float16) * root * root
        shifted = scaled + np.float16(offset)
    return np.clip(np.rint(shifted.astype(np.float64)), -128, 127).astype(np.int64)


def convolved(
    x: Integers,
    weight: Integers,
    *,
    strides: Sequence[int],
    dilations: Sequence[int],
    pads: Sequence[int],
    group: int = 1,
) -> Integers:
    """Conv of integers without offset, zero outside."""
    space = x.ndim - 2
    x = np.pad(x, [(0, 0), (0, 0), *((pads[axis], pads[space + axis]) for axis in range(space))])
    kernel = weight.shape[2:]
    sizes = [
        (x.shape[2 + axis] - (kernel[axis] - 1) * dilations[axis] - 1) // strides[axis] + 1 for axis in range(space)
    ]
    parts = []
    for data, taps in zip(np.split(x, group, axis=1), np.split(weight, group), strict=True):
        result = np.zeros((x.shape[0], taps.shape[0], *sizes), np.int64)
        for index in np.ndindex(*kernel):
            starts = [at * step for at, step in zip(index, dilations, strict=True)]
            window = tuple(
                slice(start, start + (size - 1) * stride + 1, stride)
                for start, size, stride in zip(starts, sizes, strides, strict=True)
            )
            result += np.einsum("nc...,oc->no...", data[(..., *window)], taps[(..., *index)])
        parts.append(result)
    return np.concatenate(parts, axis=1)


def convolved_transposed(
    x: Integers,
    weight: Integers,
    *,
    strides: Sequence[int],
    pads: Sequence[int],
    output_padding: Sequence[int],
    group: int = 1,
) -> Integers:
    """ConvTranspose: every element of `x` adds its multiple of the kernel."""
    space, kernel = x.ndim - 2, weight.shape[2:]
    full = [(x.shape[2 + axis] - 1) * strides[axis] + kernel[axis] + output_padding[axis] for axis in range(space)]
    parts = []
    for data, taps in zip(np.split(x, group, axis=1), np.split(weight, group), strict=True):
        result = np.zeros((x.shape[0], taps.shape[1], *full), np.int64)
        for index in np.ndindex(*kernel):
            places = tuple(
                slice(at, at + (size - 1) * stride + 1, stride)
                for at, size, stride in zip(index, x.shape[2:], strides, strict=True)
            )
            result[(..., *places)] += np.einsum("ni...,io->no...", data, taps[(..., *index)])
        parts.append(result)
    cropped = tuple(slice(pads[axis], full[axis] - pads[space + axis]) for axis in range(space))
    return np.concatenate(parts, axis=1)[(..., *cropped)]


def pooled(
    x: Integers, *, kernel: Sequence[int], strides: Sequence[int], pads: Sequence[int], with_padding: bool
) -> NDArray[np.float32]:
    """AveragePool: an exact sum over the number of elements."""
    plane: dict[str, Any] = {"strides": strides, "dilations": [1] * len(kernel), "pads": pads}
    taps = np.ones((1, 1, *kernel), np.int64)
    flat = x.reshape(-1, 1, *x.shape[2:])
    sums = convolved(flat, taps, **plane)
    counts = np.full_like(sums, np.prod(kernel)) if with_padding else convolved(np.ones_like(flat), taps, **plane)
    mean = sums.astype(np.float32) / counts.astype(np.float32)
    return np.asarray(mean.reshape(*x.shape[:2], *sums.shape[2:]))


def wrapped(sums: Integers) -> NDArray[np.int32]:
    """What an accumulator of 32 bits holds."""
    return sums.astype(np.int32)  # numpy drops the high bits


def dequantised(accumulator: NDArray[Any], deq_scale: NDArray[np.float32]) -> NDArray[np.float32]:
    """AscendDequant in float32; `deq_scale` broadcasts."""
    return np.asarray(accumulator.astype(np.float32) * deq_scale)
