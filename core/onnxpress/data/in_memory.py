"""Samples that come from Python: arrays, functions that yield feeds, lists, datasets of other frameworks."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from onnxpress.data.fitting import Chunk
from onnxpress.data.sources import Source
from onnxpress.errors import InvalidData, OnnxpressError

if TYPE_CHECKING:
    from onnxpress.kinds import Port


def open_object(source: object, inputs: Sequence[Port]) -> Source:
    """The samples in an array, a mapping of arrays, a function that yields feeds, or a list or dataset of feeds.

    Raises:
        InvalidData: `source` is none of these, or can be read only once.
    """
    if isinstance(source, Mapping) or hasattr(source, "__array__"):
        chunk = _chunk(source, inputs, "the data")
        return Source(
            chunks=lambda: [chunk], count=max((len(np.atleast_1d(a)) for a in chunk.arrays.values()), default=0)
        )
    if callable(source):
        return open_function(source, inputs, "the data")
    if isinstance(source, Iterator):
        raise InvalidData("the data are an iterator, which can be read only once; give the function that makes it")
    if isinstance(source, Iterable):
        return Source(chunks=lambda: (_chunk(item, inputs, "the data") for item in source))
    raise InvalidData(f"data cannot be a {type(source).__name__}: give a path, module:function, arrays or a function")


def open_function(function: Callable[[], Iterable[object]], inputs: Sequence[Port], name: str) -> Source:
    """The samples that `function` yields; it is called anew for every reading."""

    def chunks() -> Iterator[Chunk]:
        try:
            for item in function():
                yield _chunk(item, inputs, name)
        except OnnxpressError:
            raise
        except Exception as error:  # the function is the user's: any failure is only its own
            raise InvalidData(f"{name}: the function failed: {type(error).__name__}: {error}") from error

    return Source(chunks=chunks)


def import_function(name: str) -> Callable[[], Iterable[object]]:
    """The function called ``package.module:function``, looked for in the working folder too.

    Raises:
        InvalidData: The module cannot be imported, or has no such function.
    """
    module, attribute = name.split(":")
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        function = getattr(importlib.import_module(module), attribute)
    except Exception as error:  # the module is the user's: any failure is only its own
        raise InvalidData(f"cannot import data function {name!r}: {error}") from error
    finally:
        sys.path.remove(here)
    if not callable(function):
        raise InvalidData(f"{name!r} is no function; it must be one without arguments that yields feeds")
    return cast("Callable[[], Iterable[object]]", function)


def _chunk(item: object, inputs: Sequence[Port], origin: str) -> Chunk:
    names = [port.name for port in inputs]
    if isinstance(item, Mapping):
        return Chunk({str(name): np.asarray(array) for name, array in item.items()}, origin)
    if isinstance(item, tuple) or (isinstance(item, list) and all(hasattr(array, "__array__") for array in item)):
        if len(item) != len(names):
            raise InvalidData(f"{origin}: got {len(item)} arrays for {len(names)} inputs ({', '.join(names)})")
        return Chunk({name: np.asarray(array) for name, array in zip(names, item, strict=True)}, origin)
    return Chunk({"": np.asarray(item)}, origin)
