"""Operators that carry a value's channels along: where the channels are behind them, given where they are before.

| operator                                           | works along     | channels go                 | asks of a map |
|----------------------------------------------------|-----------------|-----------------------------|---------------|
| Transpose                                          |                 | where their axes go         |               |
| Reshape, Flatten, Squeeze, Unsqueeze               |                 | to the axes that hold them  |               |
| AveragePool, GlobalAveragePool                     | axes from 2 on  |                             |               |
| MaxPool, GlobalMaxPool                             | axes from 2 on  |                             | scale >= 0    |
| DepthToSpace, SpaceToDepth                         | axes from 1 on  |                             |               |
| Slice                                              | its axes        |                             |               |
| Pad, with zeros                                    | what it widens  |                             | shift = 0     |

One that works along axes keeps the channels where they are, if they are on none of these; then it commutes with any
per-channel affine map that is as the last column asks, for a mean, a choice and a rearrangement of numbers do.
TensorFlow's BatchToSpaceND is a DepthToSpace between two Transposes that make the batch its depth, and a Slice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import prod

import numpy as np
import onnx_ir as ir

from onnxpress.constants import array
from onnxpress.naming import described
from onnxpress_plugins.folding.affine import Affine, Channels, Obstacle


@dataclass(frozen=True)
class Condition:
    """What an affine map must keep to get through, and the obstacle if it does not."""

    holds: Callable[[Affine], bool]
    obstacle: str


def carries(node: ir.Node) -> bool:
    """Whether `node` is one of the table."""
    if node.domain != "" or len(node.outputs) != 1:
        return False
    if node.op_type == "AveragePool":
        return not (node.attributes.get_int("count_include_pad", 0) or node.attributes.get_int("ceil_mode", 0))
    if node.op_type == "Pad":
        return node.attributes.get_string("mode", "constant") == "constant" and _is_zero_border(node)
    return node.op_type == "Transpose" or node.op_type in _REGROUPING or node.op_type in _WORKS_ALONG


def carried(node: ir.Node, channels: Channels, *, down: bool) -> Channels:
    """Where channels of the input of `node` are in its output; if not `down`, those of the output in its input.

    Raises:
        Obstacle: The node mixes them with one another or with other axes, or the shapes that would tell are unknown.
    """
    if channels.rank is None:
        raise Obstacle(f"the rank of {described(node)} is unknown")
    if node.op_type == "Transpose":
        return _transposed(node, channels, channels.rank, down=down)
    if node.op_type in _REGROUPING:
        ends = (node.inputs[0], node.outputs[0])
        found = _regrouped(channels, *(ends if down else reversed(ends)))
    else:
        along = {axis % channels.rank for axis in _WORKS_ALONG[node.op_type](node, channels.rank)}
        found = channels if along.isdisjoint(axis + channels.rank for axis in channels.axes) else None
    if found is None:
        raise Obstacle(f"{described(node)} does not keep the channels apart")
    return found


def conditions(node: ir.Node) -> tuple[Condition, ...]:
    """What `node` asks of an affine map that is moved past it."""
    if node.op_type in ("MaxPool", "GlobalMaxPool"):
        negative = f"{described(node)} is no maximum after a negative scale"
        return (Condition(lambda affine: bool(np.all(affine.scale >= 0)), negative),)
    if node.op_type == "Pad":
        return (
            Condition(lambda affine: not affine.shifts, f"{described(node)} adds zeros, which a shift would change"),
        )
    return ()


def _transposed(node: ir.Node, channels: Channels, rank: int, *, down: bool) -> Channels:
    order = node.attributes.get_ints("perm", tuple(reversed(range(rank))))
    places = [axis + rank for axis in channels.axes]
    axes = [(order.index(place) if down else order[place]) - rank for place in places]
    return Channels(tuple(axes), rank, channels.sizes)


def _regrouped(channels: Channels, here: ir.Value | None, there: ir.Value | None) -> Channels | None:
    """The shortest run of axes that holds the channels: as many numbers, and as many behind each of them.

    A shape only says how numbers in the same order are counted, so what is before the channels is then the same too.
    """
    old, new = _sizes(here), _sizes(there)
    first, last = channels.axes[0], channels.axes[-1]
    behind = prod(old[len(old) + last + 1 :])
    if len(old) != channels.rank or channels.axes != tuple(range(first, last + 1)) or not behind:
        return None
    for start, stop in sorted(combinations(range(len(new) + 1), 2), key=lambda run: run[1] - run[0]):
        if prod(new[start:stop]) == channels.size and prod(new[stop:]) == behind:
            return Channels(tuple(range(start - len(new), stop - len(new))), len(new), tuple(new[start:stop]))
    return None


def _sizes(value: ir.Value | None) -> list[int]:
    """The shape of `value`, with 0 for what is unknown."""
    shape = () if value is None or value.shape is None else value.shape
    return [size if isinstance(size, int) else 0 for size in shape]


def _is_zero_border(node: ir.Node) -> bool:
    pads = array(node.inputs[1])
    fill = array(node.inputs[2]) if len(node.inputs) > 2 and node.inputs[2] is not None else 0
    axes = len(node.inputs) > 3 and node.inputs[3] is not None
    return pads is not None and fill is not None and not axes and not np.any(fill)


def _padded(node: ir.Node, rank: int) -> Sequence[int]:
    pads = array(node.inputs[1])
    assert pads is not None
    return [axis for axis in range(rank) if pads[axis] or pads[axis + rank]]


def _sliced(node: ir.Node, rank: int) -> Sequence[int]:
    axes = array(node.inputs[3]) if len(node.inputs) > 3 else None
    return range(rank) if axes is None else axes.tolist()


_REGROUPING = ("Reshape", "Flatten", "Squeeze", "Unsqueeze")
_POOLING = ("AveragePool", "GlobalAveragePool", "MaxPool", "GlobalMaxPool")
_WORKS_ALONG: dict[str, Callable[[ir.Node, int], Sequence[int]]] = {
    **dict.fromkeys(_POOLING, lambda node, rank: range(2, rank)),
    **dict.fromkeys(("DepthToSpace", "SpaceToDepth"), lambda node, rank: range(1, rank)),
    "Slice": _sliced,
    "Pad": _padded,
}
