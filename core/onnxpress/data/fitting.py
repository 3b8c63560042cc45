"""Whether arrays are what a model's inputs take: names, ranks, sizes and types, each breach in one line.

A cast must lose nothing but float precision: integers become floats or other integers when every value survives,
float64 becomes float32 when none becomes infinite, a float never becomes an integer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from onnxpress.errors import InvalidData

if TYPE_CHECKING:
    from onnxpress.kinds import Array, Port

LABEL_KEYS = ("labels", "label", "y")
"""Names under which data may hold labels beside the inputs."""


@dataclass(frozen=True)
class Chunk:
    """Samples by input name, and where they came from, for messages."""

    arrays: Mapping[str, Array]
    origin: str


def fit(chunk: Chunk, inputs: Sequence[Port]) -> dict[str, Array]:
    """The arrays of `chunk` in the order of `inputs`, each with a batch axis; a sample without one gets one.

    Raises:
        InvalidData: A name, rank or size is wrong.
    """
    arrays = fit_names(chunk, inputs)
    return {port.name: _fit_shape(arrays[port.name], port, chunk.origin) for port in inputs}


def fit_names(chunk: Chunk, inputs: Sequence[Port]) -> dict[str, Array]:
    """The arrays of `chunk` by input name; the only array for the only input may have any name.

    Raises:
        InvalidData: An input has no array, or an array no input.
    """
    given, names = dict(chunk.arrays), [port.name for port in inputs]
    for key in LABEL_KEYS:
        if key not in names and len(given) > 1:
            given.pop(key, None)
    if len(names) == len(given) == 1:
        given = {names[0]: next(iter(given.values()))}
    for name in names:
        if name not in given:
            raise InvalidData(f"{chunk.origin}: no array for input {name!r}, got {_listing(given)}")
    for name in given:
        if name not in names:
            raise InvalidData(f"{chunk.origin}: {name!r} is no input of the model, whose inputs are {_listing(names)}")
    return given


def cast(arrays: Mapping[str, Array], inputs: Sequence[Port], origin: str) -> dict[str, Array]:
    """Every array in the type its input takes.

    Raises:
        InvalidData: A cast would change values.
    """
    return {port.name: _cast(arrays[port.name], port, origin) for port in inputs}


def spell(dtype: object, shape: Sequence[int | str | None] | None) -> str:
    """A type and shape as the user reads them, e.g. ``float32 [N,3,8,8]``."""
    return (
        str(dtype) if shape is None else f"{dtype} [{','.join('?' if size is None else str(size) for size in shape)}]"
    )


def _fit_shape(array: Array, port: Port, origin: str) -> Array:
    if port.shape is None:
        return array
    candidate = array[np.newaxis] if array.ndim == len(port.shape) - 1 else array
    if _matches(candidate.shape, port.shape):
        return candidate
    raise InvalidData(
        f"{origin}: input {port.name!r} expects {spell(port.dtype, port.shape)}, "
        f"got {spell(array.dtype, array.shape)}{_layout_hint(candidate.shape, port.shape)}"
    )


def _matches(shape: Sequence[int], wanted: Sequence[int | str | None]) -> bool:
    sizes = zip(shape[1:], wanted[1:], strict=False)
    return len(shape) == len(wanted) and all(not isinstance(want, int) or size == want for size, want in sizes)


def _layout_hint(shape: tuple[int, ...], wanted: Sequence[int | str | None]) -> str:
    if len(shape) != 4:
        return ""
    n, a, b, c = shape
    if _matches((n, c, a, b), wanted):
        return " (channels last; the model takes channels first: transpose with (0, 3, 1, 2))"
    if _matches((n, b, c, a), wanted):
        return " (channels first; the model takes channels last: transpose with (0, 2, 3, 1))"
    return ""


def _cast(array: Array, port: Port, origin: str) -> Array:
    try:
        wanted: np.dtype[Any] = np.dtype(port.dtype)
    except TypeError as error:
        raise InvalidData(f"input {port.name!r} is of type {port.dtype}, which data cannot hold") from error
    if array.dtype == wanted:
        return array
    if array.dtype.kind in "US" and wanted.kind == "O":
        return array.astype(wanted)
    if not (_float_like(wanted) or (array.dtype.kind in "biu" and wanted.kind in "iu")) or array.dtype.kind in "USOc":
        raise InvalidData(
            f"{origin}: input {port.name!r} expects {port.dtype}, got {array.dtype}; convert the data first"
        )
    with np.errstate(over="ignore"):
        converted = array.astype(wanted)
    survived = np.isfinite(converted) | ~np.isfinite(array) if _float_like(array.dtype) else converted == array
    if not np.all(survived):
        raise InvalidData(
            f"{origin}: input {port.name!r} expects {port.dtype}, which cannot hold these {array.dtype} values"
        )
    return converted


def _float_like(dtype: np.dtype[Any]) -> bool:
    return dtype.kind == "f" or dtype.name == "bfloat16"


def _listing(names: Mapping[str, object] | Sequence[str]) -> str:
    return ", ".join(repr(name) for name in names) or "none"
