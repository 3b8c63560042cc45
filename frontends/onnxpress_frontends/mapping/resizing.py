"""Resizing of images: to floats whatever they were, and to exactly the size that is asked for.

TensorFlow interpolates any type into float32, where ONNX's Resize keeps the type.  And tf2onnx writes a known size as a
scale in float32, which may miss it: six rows times 5/6 are 4.9999999, so four.  Such a size stays a size.

Without ``half_pixel_centers`` the cubic kernel is another one, and pixels outside count as those at the edge.
TensorFlow reads cubic kernels from a table of 1024 steps; between these it is off by up to 1e-3 itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

OPERATORS = ("ResizeBilinear", "ResizeBicubic", "ResizeNearestNeighbor")


def resize(context: Any, node: Any, name: str, arguments: Any) -> None:
    """Handler of `OPERATORS`."""
    from onnx import TensorProto
    from tf2onnx.onnx_opset.nn import Resize

    shape = context.get_shape(node.input[0])
    if node.type != "ResizeNearestNeighbor" and context.get_dtype(node.input[0]) != TensorProto.FLOAT:
        cast = context.insert_new_node_on_input(node, "Cast", node.input[0], to=TensorProto.FLOAT)
        context.set_shape(cast.output[0], shape)
    if node.inputs[1].is_const() and not _fits(shape, node.inputs[1].get_tensor_value()):
        hidden = context.insert_new_node_on_input(node, "Identity", node.input[0])
        context.set_shape(hidden.output[0], [-1] * 4)
    legacy = node.type == "ResizeBicubic" and not node.get_attr_value("half_pixel_centers")
    output = node.output[0]
    Resize.version_11(context, node)
    if legacy:
        resized = context.get_node_by_output(output).inputs[0]
        resized.set_attr("cubic_coeff_a", -0.75)
        resized.set_attr("exclude_outside", 0)


def _fits(shape: Sequence[int] | None, wanted: Sequence[int]) -> bool:
    """Whether each size times its scale is what is wanted, in the floats of onnxruntime and the doubles of ONNX."""
    sizes = zip((shape or (-1, -1, -1))[1:3], wanted, strict=True)
    scaled = [(size, np.float32(want / size), want) for size, want in sizes if size != -1]
    return all(int(np.float32(size) * scale) == int(size * float(scale)) == want for size, scale, want in scaled)
