"""Samples for calibration and evaluation, from whatever the user has; memory does not grow with their number.

==============================  =====================================================================================
``data.npz``                    one array per input, by name; samples along axis 0
``data.npy``                    the samples of the only input
a folder of ``.npy``            the only input; each file is one sample or a batch
a folder of ``.npz``            each file is one sample or a batch, by input name
a folder of folders             one per input, named after it, with a ``.npy`` per sample in each
a folder of images              the only input; needs a preprocessing spec
``package.module:function``     a function without arguments that yields feeds; found from the working folder too
an array, a mapping of arrays   as ``.npy`` and ``.npz``
a function, a list, a dataset   feeds, each a mapping, a tuple in the order of the inputs, or an array
==============================  =====================================================================================

Files are read in sorted order.  With a preprocessing spec, arrays are taken for pixels.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from onnxpress.data.feeding import batches, fixed_rows
from onnxpress.data.fitting import Chunk, fit, fit_names
from onnxpress.data.in_memory import import_function, open_function, open_object
from onnxpress.data.preprocessing import Preprocessing, layout_of, parse
from onnxpress.data.sources import Source, open_path
from onnxpress.errors import InvalidData

if TYPE_CHECKING:
    from onnxpress.kinds import Array, Feeds, Port


@dataclass(frozen=True, kw_only=True)
class Samples:
    """Samples that fit the inputs of a model; a `Dataset`.

    Attributes:
        inputs: The inputs they are for.
        source: Where they come from.
        batch: Samples per run, where the model leaves the choice.
        is_random: Whether the data are made up.
        notes: What the user should know, e.g. that float64 data are rounded.
    """

    inputs: tuple[Port, ...]
    source: Source
    batch: int = 1
    is_random: bool = False
    notes: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Feeds]:
        return batches(self.source.chunks(), self.inputs, self.batch)

    def __length_hint__(self) -> int:
        size = next(filter(None, map(fixed_rows, self.inputs)), self.batch)
        return -(-(self.source.count or 0) // size)

    def batches(self, size: int) -> Samples:
        """The same samples, `size` a run; a fixed batch dimension of the model overrules it."""
        return replace(self, batch=size)


def load(
    source: object,
    inputs: Sequence[Port],
    *,
    preprocessing: str | Path | Mapping[str, Any] | Preprocessing | None = None,
) -> Samples:
    """Open data for a model; the first chunk is read to see whether it fits.

    Args:
        source: One of the forms in the table above.
        inputs: Inputs of the model.
        preprocessing: How pixels become values, see `onnxpress.data.preprocessing.parse`.

    Raises:
        InvalidData: The data are missing, empty, unreadable or do not fit; the message names input, expected and got.
        MissingDependency: Images are given and Pillow is not installed.
    """
    if isinstance(source, Samples):
        return replace(source, inputs=tuple(inputs))
    spec = None if preprocessing is None else parse(preprocessing)
    opened = _open(source, inputs, spec)
    if spec is not None:
        opened = _preprocess(opened, inputs, spec)
    samples = Samples(inputs=tuple(inputs), source=opened, is_random=bool(getattr(source, "is_random", False)))
    first = next(iter(opened.chunks()), None)
    if first is None or next(iter(samples), None) is None:
        raise InvalidData(f"{_name(source)} holds no samples")
    return replace(samples, notes=tuple(_notes(first, inputs)))


def random_data(inputs: Sequence[Port], *, samples: int = 16, seed: int = 0, size: int = 224) -> Samples:
    """Made-up samples for a smoke run; ranges taken from them mean nothing.

    Floats are normally distributed, integers are 0 or 1, so that they may serve as indices or masks.

    Args:
        inputs: Inputs of the model.
        samples: How many.
        seed: Same seed, same samples.
        size: Stands for every dynamic dimension but the first.
    """

    def chunks() -> Iterator[Chunk]:
        for index in range(samples):
            generator = np.random.default_rng([seed, index])
            yield Chunk({port.name: _draw(generator, port, size) for port in inputs}, "random data")

    return Samples(inputs=tuple(inputs), source=Source(chunks=chunks, count=samples), is_random=True)


def _open(source: object, inputs: Sequence[Port], spec: Preprocessing | None) -> Source:
    if isinstance(source, str) and re.fullmatch(r"[\w.]+:\w+", source) and not Path(source).exists():
        return open_function(import_function(source), inputs, source)
    if isinstance(source, (str, Path)):
        return open_path(Path(source), inputs, spec)
    return open_object(source, inputs)


def _preprocess(source: Source, inputs: Sequence[Port], spec: Preprocessing) -> Source:
    if len(inputs) != 1:
        raise InvalidData(f"preprocessing is for models with one input; this one has {len(inputs)}")
    if (spec.resize or spec.crop) and not source.resized:
        raise InvalidData("preprocessing with resize or crop takes image files; arrays must have the model's size")
    layout = layout_of(inputs[0], spec)

    def chunks() -> Iterator[Chunk]:
        for chunk in source.chunks():
            pixels = fit_names(chunk, inputs)[inputs[0].name]
            values = spec.values(pixels if pixels.ndim == 4 else pixels[..., np.newaxis], layout)
            yield Chunk({inputs[0].name: values}, chunk.origin)

    return replace(source, chunks=chunks)


def _notes(chunk: Chunk, inputs: Sequence[Port]) -> Iterator[str]:
    for name, array in fit(chunk, inputs).items():
        wanted = next(port.dtype for port in inputs if port.name == name)
        if array.dtype.kind == "f" and wanted != array.dtype and array.dtype.itemsize > np.dtype(wanted).itemsize:
            yield f"input {name!r}: {array.dtype} data are rounded to {wanted}"


def _draw(generator: np.random.Generator, port: Port, size: int) -> Array:
    shape = [dim if isinstance(dim, int) else size for dim in port.shape or ()]
    if shape and not isinstance((port.shape or ())[0], int):
        shape[0] = 1
    dtype = np.dtype(port.dtype)
    if dtype.kind == "O":
        raise InvalidData(f"input {port.name!r} takes text, for which there are no random data; give data")
    if dtype.kind in "biu":
        return generator.integers(0, 2, shape).astype(dtype)
    return generator.standard_normal(shape).astype(dtype)


def _name(source: object) -> str:
    return str(source) if isinstance(source, (str, Path)) else "the data"
