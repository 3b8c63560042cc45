"""Shapes, pieces and joints: what moves elements without changing them, and pooling."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

from onnxpress_backends.keras.assembly import Assembly, Builder
from onnxpress_backends.tensorflow.graphs.graph import Node


def reshape(assembly: Assembly, node: Node) -> Any:
    """Reshape or Flatten where the batch stays what it is, else `keras.ops.reshape`."""
    import keras

    x, shape = assembly.of(node.inputs[0]), assembly.known(node, 1)
    inner = list(x.shape[1:])
    if x.shape[0] is None and shape[:1] == [-1] and None not in inner and prod(inner) == prod(shape[1:]):
        if len(shape) == 2:
            return assembly.layer("Flatten", node, x)
        return assembly.layer("Reshape", node, x, target_shape=tuple(shape[1:]))
    return keras.ops.reshape(x, shape)


def transpose(assembly: Assembly, node: Node) -> Any:
    """Permute where the batch stays in front."""
    import keras

    x, perm = assembly.of(node.inputs[0]), assembly.known(node, 1)
    if perm[0] == 0:
        return assembly.layer("Permute", node, x, dims=tuple(perm[1:]))
    return keras.ops.transpose(x, perm)


def as_it_is(assembly: Assembly, node: Node) -> Any:
    """What only says of a tensor what Keras knows."""
    return assembly.of(node.inputs[0])


def expand_dims(assembly: Assembly, node: Node) -> Any:
    """One axis more."""
    import keras

    return keras.ops.expand_dims(assembly.of(node.inputs[0]), assembly.known(node, 1))


def squeeze(assembly: Assembly, node: Node) -> Any:
    """Axes less."""
    import keras

    return keras.ops.squeeze(assembly.of(node.inputs[0]), axis=tuple(node.attrs["squeeze_dims"]) or None)


def concatenate(assembly: Assembly, node: Node) -> Any:
    """Concatenate."""
    import keras

    parts = node.inputs[:-1]
    inputs, place = [assembly.of(part) for part in parts], assembly.known(node, len(parts))
    if any(assembly.array(part) is not None for part in parts):
        return keras.ops.concatenate(inputs, axis=place)
    return assembly.layer("Concatenate", node, inputs, axis=place)


def split(assembly: Assembly, node: Node) -> tuple[Any, ...]:
    """Equal parts, or parts of given sizes."""
    import keras

    if node.op == "Split":
        axis, parts = assembly.known(node, 0), node.attrs["num_split"]
        return tuple(keras.ops.split(assembly.of(node.inputs[1]), parts, axis=axis))
    sizes, axis = assembly.known(node, 1), assembly.known(node, 2)
    places = [sum(sizes[: index + 1]) for index in range(len(sizes) - 1)]
    return tuple(keras.ops.split(assembly.of(node.inputs[0]), places, axis=axis))


def pad(assembly: Assembly, node: Node) -> Any:
    """ZeroPadding2D for the spatial axes of images, else `keras.ops.pad`."""
    import keras

    x, amounts = assembly.of(node.inputs[0]), assembly.known(node, 1)
    if node.op == "MirrorPad":
        return keras.ops.pad(x, amounts, mode=node.attrs["mode"].lower())
    fill = assembly.known(node, 2) if node.op == "PadV2" else 0
    if fill == 0 and len(amounts) == 4 and not any(amounts[0] + amounts[3]):
        return assembly.layer("ZeroPadding2D", node, x, padding=tuple(map(tuple, amounts[1:3])))
    return keras.ops.pad(x, amounts, constant_values=fill)


def tile(assembly: Assembly, node: Node) -> Any:
    """Repeated along axes."""
    import keras

    return keras.ops.tile(assembly.of(node.inputs[0]), assembly.known(node, 1))


def gather(assembly: Assembly, node: Node) -> Any:
    """Rows of a constant table are an Embedding, other elements `keras.ops.take`."""
    import keras

    table, axis = assembly.array(node.inputs[0]), assembly.known(node, 2)
    if node.attrs["batch_dims"]:
        assembly.refuse(node, "Keras gathers without batch dimensions")
    indices = assembly.of(node.inputs[1])
    if table is not None and table.ndim == 2 and axis == 0 and assembly.array(node.inputs[1]) is None:
        rows, width = table.shape
        return assembly.layer("Embedding", node, indices, weights=[table], input_dim=rows, output_dim=width)
    return keras.ops.take(assembly.of(node.inputs[0]), indices, axis=axis)


def cut(assembly: Assembly, node: Node) -> Any:
    """Slice and StridedSlice between constant places."""
    x, begin, end = assembly.of(node.inputs[0]), assembly.known(node, 1), assembly.known(node, 2)
    if node.op == "Slice":
        ends = [None if size == -1 else start + size for start, size in zip(begin, end, strict=True)]
        return x[tuple(slice(start, stop) for start, stop in zip(begin, ends, strict=True))]
    if node.attrs["ellipsis_mask"] or node.attrs["new_axis_mask"]:
        assembly.refuse(node, "Keras has no such slice")
    return x[
        tuple(
            _index(node, axis, *items)
            for axis, items in enumerate(zip(begin, end, assembly.known(node, 3), strict=True))
        )
    ]


def _index(node: Node, axis: int, begin: int, end: int, step: int) -> Any:
    if node.attrs["shrink_axis_mask"] >> axis & 1:
        return begin
    start = None if node.attrs["begin_mask"] >> axis & 1 else begin
    stop = None if node.attrs["end_mask"] >> axis & 1 else end
    return slice(start, stop, step)


def pooling(layer: str) -> Builder:
    """A pooling layer over windows."""

    def build(assembly: Assembly, node: Node) -> Any:
        return assembly.layer(
            layer,
            node,
            assembly.of(node.inputs[0]),
            pool_size=tuple(node.attrs["ksize"][1:-1]),
            strides=tuple(node.attrs["strides"][1:-1]),
            padding=node.attrs["padding"].lower(),
        )

    return build


def resize(interpolation: str) -> Builder:
    """UpSampling2D for whole factors, else Resizing; both as TensorFlow 2 places pixels."""

    def build(assembly: Assembly, node: Node) -> Any:
        x, size = assembly.of(node.inputs[0]), assembly.known(node, 1)
        factors = [to / of if of else 0.5 for to, of in zip(size, x.shape[1:3], strict=True)]
        whole = tuple(int(factor) for factor in factors if factor.is_integer())
        repeats = interpolation == "nearest" and len(whole) == len(factors) and not node.attrs["align_corners"]
        if not node.attrs["half_pixel_centers"] and not repeats:
            assembly.refuse(node, "Keras resizes with half-pixel centres only")
        if len(whole) == len(factors):
            return assembly.layer("UpSampling2D", node, x, size=whole, interpolation=interpolation)
        return assembly.layer("Resizing", node, x, height=size[0], width=size[1], interpolation=interpolation)

    return build


def depth_to_space(assembly: Assembly, node: Node) -> Any:
    """Blocks of channels become blocks of pixels."""
    import keras

    x, block = assembly.of(node.inputs[0]), node.attrs["block_size"]
    height, width, channels = x.shape[1:]
    inner = channels // block**2
    apart = keras.ops.reshape(x, (-1, height, width, block, block, inner))
    return keras.ops.reshape(keras.ops.transpose(apart, (0, 1, 3, 2, 4, 5)), (-1, height * block, width * block, inner))


BUILDERS: Mapping[str, Builder] = {
    "AvgPool": pooling("AveragePooling2D"),
    "AvgPool3D": pooling("AveragePooling3D"),
    "ConcatV2": concatenate,
    "DepthToSpace": depth_to_space,
    "EnsureShape": as_it_is,
    "ExpandDims": expand_dims,
    "GatherV2": gather,
    "MaxPool": pooling("MaxPooling2D"),
    "MaxPool3D": pooling("MaxPooling3D"),
    "MirrorPad": pad,
    "Pad": pad,
    "PadV2": pad,
    "Reshape": reshape,
    "ResizeBilinear": resize("bilinear"),
    "ResizeNearestNeighbor": resize("nearest"),
    "Slice": cut,
    "Split": split,
    "SplitV": split,
    "Squeeze": squeeze,
    "StridedSlice": cut,
    "Tile": tile,
    "Transpose": transpose,
}
