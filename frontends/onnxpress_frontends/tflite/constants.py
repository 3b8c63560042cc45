"""Values of constants: bytes of a file become arrays, sparse ones dense, integers of 4 bits one a byte; and grids."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from onnxpress_frontends.mapping.quantization_grids import Grid, stored
from onnxpress_frontends.tflite.sparsity import Level, Sparsity, positions

if TYPE_CHECKING:
    from onnxpress.kinds import Array

_LIMIT = 2**31
"""Elements that no constant reaches."""

_GRIDS = frozenset(("int8", "uint8", "int16", "int32", "int64"))
_BIASES = ("int32", "int64")

_CSR = 1
_SCALES_ALONE = 0
"""Values of ``DimensionType`` and ``QuantizationDetails``."""


def read_values(tensor: Any, content: Array, dtype: str, shape: tuple[int, ...]) -> Array:
    """The dense values of a constant.

    Args:
        tensor: The `TensorT` of the schema.
        content: Its bytes.
        dtype: Name of the type: numpy's, or ``int4``.
        shape: Its dense shape.

    Raises:
        ValueError: There are more or fewer bytes than values, or the sparsity is unsound.
    """
    if np.prod(shape, dtype=np.float64) > _LIMIT:
        raise ValueError(f"it is larger than a file can be: {list(shape)}")
    count = int(np.prod(shape, dtype=np.int64))
    if tensor.sparsity is None:
        return _decoded(content, dtype, count).reshape(shape)
    places = positions(_sparsity(tensor.sparsity), shape)
    values = _decoded(content, dtype, places.size)
    dense = np.zeros(count, values.dtype)
    dense[places] = values
    return dense.reshape(shape)


def read_grid(tensor: Any, dtype: str, shape: tuple[int | None, ...], *, constant: bool = False) -> Grid | None:
    """What the integers of a tensor stand for, None where it is not quantised.

    Args:
        tensor: The `TensorT` of the schema.
        dtype: What its integers are stored as.
        shape: Sizes, None where one is open.
        constant: Whether it has values; then a scale may be 0, as TensorFlow's converter has it for channels of zeros.

    Raises:
        ValueError: Scales and zero points fit neither each other nor the tensor.
        NotImplementedError: Scales are by block, or the numbers are such as ONNX does not quantise.
    """
    given = tensor.quantization
    if given is None or given.scale is None or len(given.scale) == 0 or not dtype.startswith(("int", "uint")):
        return None
    if given.detailsType != _SCALES_ALONE:
        raise NotImplementedError("it is quantised by blocks, or in a way of its own")
    if dtype not in _GRIDS:
        raise NotImplementedError(f"it is quantised to {dtype}")
    scale = np.asarray(given.scale, np.float32)
    zero_point = np.zeros(1, np.int64) if given.zeroPoint is None else np.asarray(given.zeroPoint, np.int64)
    if not np.isfinite(scale).all() or (scale < 0).any() or not (constant or scale.all()):
        raise ValueError("a scale of its quantisation is not positive")
    limits = np.iinfo(dtype)
    if zero_point.size not in (1, scale.size) or ((zero_point < limits.min) | (zero_point > limits.max)).any():
        raise ValueError("its zero points do not fit its scales or its type")
    if dtype in _BIASES and zero_point.any():
        raise NotImplementedError(f"it is quantised to {dtype} with a zero point")
    if scale.size == 1:
        return stored(scale[0], zero_point[0], None, dtype=dtype)
    rank, axis = len(shape), int(given.quantizedDimension)
    if not 0 <= axis < rank or shape[axis] != scale.size:
        raise ValueError(f"it has {scale.size} scales along axis {axis} of {list(shape)}")
    return stored(scale, np.broadcast_to(zero_point, scale.shape), None, dtype=dtype, axis=axis - rank)


def dequantized(integers: Array, grid: Grid) -> Array:
    """What integers stand for, float32; for integers of 64 bits, which DequantizeLinear does not take."""
    axes = [index for index in range(-integers.ndim, 0) if index != grid.axis] if grid.scale.ndim else ()
    return integers.astype(np.float32) * np.expand_dims(grid.scale, tuple(axes))


def _decoded(content: Array, dtype: str, count: int) -> Array:
    """Exactly `count` values."""
    if dtype == "int4":
        pairs = content[: (count + 1) // 2].view(np.int8)
        halves = np.stack([np.left_shift(pairs, 4) >> 4, pairs >> 4], axis=-1).reshape(-1)
        if content.size != (count + 1) // 2:
            raise ValueError(f"it has {content.size} bytes for {count} values of 4 bits")
        return halves[:count]
    if content.size != count * np.dtype(dtype).itemsize:
        raise ValueError(f"it has {content.size} bytes for {count} values of type {dtype}")
    return content.view(dtype) if content.size else np.zeros(0, dtype)


def _sparsity(given: Any) -> Sparsity:
    levels = []
    for level in given.dimMetadata if given.dimMetadata is not None else ():
        if level.format != _CSR:
            levels.append(Level(size=int(level.denseSize)))
            continue
        segments, indices = (
            np.asarray(() if part is None or part.values is None else part.values, np.int64)
            for part in (level.arraySegments, level.arrayIndices)
        )
        if segments.size == 0:
            raise ValueError("a compressed level has no segments")
        levels.append(Level(size=int(level.denseSize), segments=segments, indices=indices))
    order, blocked = (
        [int(axis) for axis in axes] if axes is not None else [] for axes in (given.traversalOrder, given.blockMap)
    )
    return Sparsity(order=order, blocked=blocked, levels=levels)
