"""What a TFLite file holds, checked: every index points at something, every constant has its values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from onnxpress.kinds import Array
    from onnxpress_frontends.mapping.quantization_grids import Grid


@dataclass(frozen=True, kw_only=True, eq=False)
class Tensor:
    """A tensor of a graph.

    Attributes:
        name: As the file has it; need not be unique.
        dtype: numpy name of what is stored; other names of the format, e.g. ``resource``, for what numpy has not.
        shape: Sizes, None where one is open.
        data: The values of a constant, dense, None for what is computed.  Integers of 4 bits are int8 here.
        grid: What quantised integers stand for, None for plain numbers.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...]
    data: Array | None = None
    grid: Grid | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Operator:
    """A step of a graph.

    Attributes:
        code: The format's name of it, e.g. ``CONV_2D``; a custom one under its own name.
        inputs: Indices of tensors, -1 where an optional one is left out.
        outputs: Indices of tensors.
        options: The table of options, of the class that the schema has for it; None where the file has none.
    """

    code: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Any


@dataclass(frozen=True, kw_only=True, eq=False)
class Graph:
    """Tensors, and the operators in the order in which they run."""

    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Signature:
    """The user's names of a graph's inputs and outputs, by index of the tensor, in the order of the graph."""

    key: str
    graph: int
    inputs: Mapping[int, str]
    outputs: tuple[tuple[int, str], ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Contents:
    """A file: the first graph is the main one, others are loops and branches, or the graphs of other signatures."""

    title: str
    graphs: tuple[Graph, ...]
    signatures: tuple[Signature, ...]
