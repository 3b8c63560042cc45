"""Nodes that only arrange axes: read as arrangements, and written again as few nodes.

| operator           | arrangement                                                                                |
|--------------------|--------------------------------------------------------------------------------------------|
| Transpose          | ``perm``                                                                                   |
| Squeeze, Unsqueeze | axes of size one go or come                                                                |
| Reshape, Flatten   | the same, where the shape without its ones stays; one open size may have got another name, |
|                    | since the number of elements decides it                                                    |

Reshape to any other shape is no view.  One arrangement becomes another by a Transpose where axes move; by Squeeze,
Unsqueeze or Reshape where only ones do; by one behind the other where both happen.
"""

from __future__ import annotations

import onnx_ir as ir

from onnxpress_plugins.layout.arrangement import Arrangement, essence, order_between, plain


def view(node: ir.Node) -> Arrangement | None:
    """What `node` makes of its first input; None when it does more than arrange axes."""
    source, output = node.inputs[0] if node.inputs else None, node.outputs[0]
    if node.domain != "" or source is None or source.shape is None or output.shape is None:
        return None
    if node.op_type == "Transpose":
        return tuple(node.attributes.get_ints("perm", tuple(reversed(range(len(source.shape))))))
    if node.op_type in ("Squeeze", "Unsqueeze") or _keeps_sizes(node, source.shape, output.shape):
        axes = essence(plain(source.shape))
        if len(axes) == len(essence(plain(output.shape))):
            following = iter(axes)
            return tuple(None if size == 1 else next(following) for size in output.shape)
    return None


def _keeps_sizes(node: ir.Node, before: ir.Shape, after: ir.Shape) -> bool:
    """Whether a Reshape leaves all sizes but ones as they are, one after the other."""
    old, new = ([size for size in shape if size != 1] for shape in (before, after))
    if node.op_type not in ("Reshape", "Flatten") or len(old) != len(new) or 0 in old:
        return False
    unsure = [pair for pair in zip(old, new, strict=True) if pair[0] != pair[1] or pair[0] == ir.SymbolicDim(None)]
    return len(unsure) <= 1 and not any(isinstance(size, int) for pair in unsure for size in pair)


def route(given: Arrangement, wanted: Arrangement, shape: ir.Shape) -> tuple[Arrangement, ...]:
    """The arrangements, ending with `wanted`, that lead from `given` there, one `step` each.

    Args:
        given: What there is of a tensor.
        wanted: What there should be.
        shape: The shape of the tensor.
    """
    if essence(given) == essence(wanted):
        direct = None not in given or None not in wanted or _target(given, wanted, shape) is not None
        return (wanted,) if direct else (essence(given), wanted)
    if len(given) == len(wanted):
        return (wanted,)
    turned = (*essence(wanted), *(None for axis in given if axis is None))
    return (turned,) if turned == wanted else (turned, *route(turned, wanted, shape))


def step(given: Arrangement, wanted: Arrangement, shape: ir.Shape) -> tuple[str, str, list[int]]:
    """The operator that leads from `given` to `wanted`, the name of its parameter, and the parameter."""
    if essence(given) != essence(wanted):
        return "Transpose", "perm", list(order_between(given, wanted))
    if None not in wanted:
        return "Squeeze", "axes", _ones(given)
    if None not in given:
        return "Unsqueeze", "axes", _ones(wanted)
    return "Reshape", "shape", _target(given, wanted, shape) or []


def _ones(arrangement: Arrangement) -> list[int]:
    return [place for place, axis in enumerate(arrangement) if axis is None]


def _target(given: Arrangement, wanted: Arrangement, shape: ir.Shape) -> list[int] | None:
    """The shape to ask of a Reshape, None if there is none: 0 keeps the size at its place, -1 is one not known."""
    sizes = []
    for place, axis in enumerate(wanted):
        size = 1 if axis is None else shape[axis]
        kept = place < len(given) and axis == given[place]
        sizes.append(size if isinstance(size, int) else 0 if kept else -1)
    return sizes if sizes.count(-1) < 2 and 0 not in shape else None
