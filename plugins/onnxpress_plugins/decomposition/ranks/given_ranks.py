"""Ranks that the user gives, layer by layer.

conv1: 32          a layer with one rank
conv2: 48x64       Tucker-2 has two, of the inputs and of the outputs
<Conv2d>: 32       layers of a type, as `layer_selection` has it; the last line that speaks of a layer counts
"""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from onnxpress.errors import InvalidOption
from onnxpress_plugins import layer_selection


class GivenRanks:
    """All that are given.

    Args:
        lines: As above.

    Raises:
        InvalidOption: One is not as above.
    """

    def __init__(self, lines: Sequence[str] = ()) -> None:
        self._rules = [_rule(line) for line in lines]

    def check(self, model: ir.Model) -> None:
        """See that every layer that is named is in the model.

        Raises:
            InvalidOption: One is not.
        """
        layer_selection.check("ranks", [selector for selector, _ in self._rules], model)

    def of(self, node: ir.Node) -> tuple[int, ...] | None:
        """The ranks of a layer, None if it gets none."""
        return layer_selection.last_word(self._rules, node)


def _rule(line: str) -> tuple[str, tuple[int, ...]]:
    layer, _, words = line.rpartition(": ")
    if not layer or not all(word.isdecimal() for word in words.split("x")):
        raise InvalidOption(f"pass 'decompose': ranks takes LAYER: RANK, or LAYER: RANKxRANK, not {line!r}")
    return layer, tuple(map(int, words.split("x")))
