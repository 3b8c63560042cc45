"""What moves, copies and picks elements, and computes shapes."""

from __future__ import annotations

from typing import Any

import numpy as np

from onnxpress_frontends.tensorflow_import import import_tensorflow
from onnxpress_frontends.tflite.operators.calling import Call, Operators, direct, function


def _reshaped(call: Call) -> Any:
    shape = call.operand(1)
    if shape is None or np.ndim(shape) != 1:
        shape = call.option("newShape", ())
        shape = [] if list(shape) == [0] else shape  # how old files call a scalar
    return import_tensorflow().reshape(call.operands[0], np.asarray(shape, np.int32) if _known(shape) else shape)


def _known(value: Any) -> bool:
    return isinstance(value, (np.ndarray, list, tuple))


def _squeezed(call: Call) -> Any:
    axes = call.option("squeezeDims", None)
    return import_tensorflow().squeeze(call.operands[0], [int(axis) for axis in axes] if axes is not None else None)


def _gathered(call: Call) -> Any:
    values, places = call.operands
    axis, batch_dims = call.option("axis"), call.option("batchDims")
    return import_tensorflow().gather(values, places, axis=axis, batch_dims=batch_dims)


def _strided(call: Call) -> Any:
    """Where the option says so, the ends count from the beginnings."""
    value, begin, end, strides = call.operands
    return import_tensorflow().strided_slice(
        value,
        begin,
        begin + end if call.option("offset", False) else end,
        strides,
        begin_mask=call.option("beginMask"),
        end_mask=call.option("endMask"),
        ellipsis_mask=call.option("ellipsisMask"),
        new_axis_mask=call.option("newAxisMask"),
        shrink_axis_mask=call.option("shrinkAxisMask"),
    )


def _one_hot(call: Call) -> Any:
    places, depth, on, off = call.operands
    return import_tensorflow().one_hot(places, depth, on_value=on, off_value=off, axis=call.option("axis", -1))


def _split(call: Call) -> Any:
    return import_tensorflow().split(call.operands[1], call.option("numSplits"), axis=int(call.operands[0]))


def _split_by_sizes(call: Call) -> Any:
    value, sizes, axis = call.operands
    return import_tensorflow().split(value, sizes, axis=int(axis), num=call.option("numSplits"))


def _padded(call: Call) -> Any:
    value, widths = call.operands[:2]
    filling = call.operand(2)
    return import_tensorflow().pad(value, widths, constant_values=0 if filling is None else filling)


def _mirrored(call: Call) -> Any:
    return import_tensorflow().pad(*call.operands, mode=("REFLECT", "SYMMETRIC")[call.option("mode")])


def _broadcast(call: Call) -> Any:
    """The shape that two shapes broadcast to: of each pair of sizes, counted from the last, the one that is not 1."""
    tf = import_tensorflow()
    shapes = [tf.convert_to_tensor(shape) for shape in call.operands]
    rank = max(shape.shape[0] for shape in shapes)
    one, other = (tf.pad(shape, [[rank - shape.shape[0], 0]], constant_values=1) for shape in shapes)
    return tf.where(tf.equal(one, 1), other, one)


def _concatenated(call: Call) -> Any:
    return call.activated(import_tensorflow().concat(list(call.operands), call.option("axis")))


def _blocks(path: str) -> Any:
    return lambda call: function(path)(call.operands[0], call.option("blockSize"))


OPERATORS: Operators = {
    "BATCH_TO_SPACE_ND": lambda call: function("batch_to_space")(
        call.operands[0], block_shape=call.operands[1], crops=call.operands[2]
    ),
    "BROADCAST_ARGS": _broadcast,
    "BROADCAST_TO": direct("broadcast_to"),
    "CONCATENATION": _concatenated,
    "DEPTH_TO_SPACE": _blocks("nn.depth_to_space"),
    "EMBEDDING_LOOKUP": lambda call: function("gather")(call.operands[1], call.operands[0]),
    "EXPAND_DIMS": direct("expand_dims"),
    "FILL": direct("fill"),
    "GATHER": _gathered,
    "GATHER_ND": direct("gather_nd"),
    "MIRROR_PAD": _mirrored,
    "ONE_HOT": _one_hot,
    "PACK": lambda call: function("stack")(list(call.operands), axis=call.option("axis")),
    "PAD": _padded,
    "PADV2": _padded,
    "RANGE": direct("range"),
    "RANK": direct("rank"),
    "RESHAPE": _reshaped,
    "REVERSE_V2": direct("reverse"),
    "SCATTER_ND": direct("scatter_nd"),
    "SHAPE": lambda call: function("shape")(call.operands[0], out_type=call.dtype),
    "SLICE": direct("slice"),
    "SPACE_TO_BATCH_ND": direct("space_to_batch_nd"),
    "SPACE_TO_DEPTH": _blocks("nn.space_to_depth"),
    "SPLIT": _split,
    "SPLIT_V": _split_by_sizes,
    "SQUEEZE": _squeezed,
    "STRIDED_SLICE": _strided,
    "TILE": direct("tile"),
    "TRANSPOSE": direct("transpose"),
    "UNPACK": lambda call: function("unstack")(call.operands[0], num=call.option("num"), axis=call.option("axis")),
    "WHERE": lambda call: function("where")(call.operands[0]),
}
"""The format's name to how TensorFlow computes it."""
