"""Names of open sizes: the user's, ``N`` for the first axis, ``tokens_dim_1`` for others, where PyTorch has ``s77``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from onnxpress_frontends.finishing.dimensions import BATCH
from onnxpress_frontends.pytorch.captured import Axes

Sizes = Sequence[int | str | None]


def named_sizes(inputs: Mapping[str, Sizes], given: Axes) -> dict[str, str]:
    """Name every symbol after the first axis of an input that has it.

    Args:
        inputs: Sizes of each input by its name, in order; text is a symbol.
        given: Names that the user gave to axes, by input.
    """
    names: dict[str, str] = {}
    for name, sizes in inputs.items():
        for axis, size in enumerate(sizes):
            if isinstance(size, str):
                default = BATCH if axis == 0 else f"{name}_dim_{axis}"
                names.setdefault(size, given.get(name, {}).get(axis) or default)
    return names


def rename(name: str, sizes: Sizes, names: Mapping[str, str]) -> list[int | str]:
    """The sizes of an output called `name`, or of an input: what is computed from symbols is called after it."""
    return [
        size if isinstance(size, int) else names.get(str(size), f"{name}_dim_{axis}") for axis, size in enumerate(sizes)
    ]
