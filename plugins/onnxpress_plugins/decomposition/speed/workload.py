"""How often a kernel is applied, and the multiplications that makes, of the layer as it is and of a stack in its place.

A part of a stack runs over the outputs of its own axes and of those before it, and over the *inputs* of all others: the
k x 1 convolution of a pair of stride 2 gives only half of the rows, but still all columns.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import onnx_ir as ir

from onnxpress.decomposition.layer_stacks import Layer, Part, Stack
from onnxpress_plugins.decomposition.speed.nominal_sizes import NOMINAL, Sizes


@dataclass(frozen=True, kw_only=True)
class Workload:
    """How often the kernel of a layer is applied.

    Attributes:
        repeats: Samples of a batch; rows that a matrix multiplies.
        sizes_in: Of the input, for each axis of the kernel.
        sizes_out: Of the output, for each axis of the kernel.
    """

    repeats: int
    sizes_in: tuple[int, ...] = ()
    sizes_out: tuple[int, ...] = ()

    def dense(self, one: Layer | Part) -> int:
        """Multiply-accumulates of a layer as it is, or of a part with its own workload."""
        return self.repeats * prod(one.weight_shape) * prod(self.sizes_out)

    def of(self, stack: Stack) -> int:
        """Multiply-accumulates of a stack."""
        return sum(own.dense(part) for part, own in self.shared_out(stack))

    def shared_out(self, stack: Stack) -> Iterator[tuple[Part, Workload]]:
        """Every part of a stack, in order, with its own workload."""
        before = self.sizes_in
        for part in stack.parts:
            behind = tuple(self.sizes_out[at] if at in part.axes else size for at, size in enumerate(before))
            yield part, Workload(repeats=self.repeats, sizes_in=before, sizes_out=behind)
            before = behind


def workload(node: ir.Node, layer: Layer, sizes: Sizes) -> Workload:
    """The workload of `node`, which is `layer`.

    Args:
        node: The node.
        layer: The same as data.
        sizes: Of values, as `nominal_sizes` gives them.
    """
    output = sizes(node.outputs[0])
    if layer.operator != "Conv":
        return Workload(repeats=prod((output or (1,))[:-1]))
    output = output or (1, 1, *(NOMINAL for _ in layer.kernel))
    strided = (size * stride for size, stride in zip(output[2:], layer.strides, strict=True))
    data = sizes(node.inputs[0]) or (1, 1, *strided)
    return Workload(repeats=output[0], sizes_in=data[2:], sizes_out=output[2:])
