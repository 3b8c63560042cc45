"""NonMaxSuppression: TensorFlow's own, for each class of each image, their indices joined into one list.

Both libraries drop a box whose overlap with a better one is greater than the threshold, and boxes whose score is not
above the other threshold; the corners may be given in any order.
"""

from __future__ import annotations

from collections.abc import Mapping

from onnxpress_backends.tensorflow.call import Call, Rule
from onnxpress_backends.tensorflow.geometry.terms import Term, given, packed, sizes, term
from onnxpress_backends.tensorflow.graphs.dtypes import DType
from onnxpress_backends.tensorflow.graphs.graph import Tensor
from onnxpress_backends.tensorflow.loops.iterating import Iteration


def non_max_suppression(call: Call) -> Tensor:
    """Rows of (image, class, box), best boxes first within each class."""
    boxes = _corners(call) if call.attribute("center_point_box", 0) else call.tensor(0)
    images, classes, spatial = sizes(call, 1)
    scores = call.emit("Reshape", call.tensor(1), packed(call, [term(call, -1), spatial]).tensor)
    limits = _limits(call)
    pairs = images * classes
    if pairs.known is not None and int(pairs.known) == 1:
        zero = call.const(0, DType.INT32)
        return _rows(call, boxes, scores, limits, (zero, zero, zero))
    iteration = Iteration(call, pairs.tensor)
    pen, body = iteration.inside, iteration.body
    found = iteration.carry(
        call.emit("Fill", call.const([0, 3], DType.INT32), call.const(0, DType.INT64)), (None, 3), "found"
    )
    shape = call.value(0).shape
    image_boxes, class_scores = body.capture(boxes, shape), body.capture(scores, (None, None))
    within = [body.capture(limit, ()) for limit in limits]
    divisor = (
        pen.const(int(classes.known), DType.INT32) if classes.known is not None else body.capture(classes.tensor, ())
    )
    image, kind = (pen.emit(op, iteration.step, divisor) for op in ("FloorDiv", "FloorMod"))
    rows = _rows(pen, image_boxes, class_scores, within, (iteration.step, image, kind))
    (result,) = iteration.write([pen.emit("ConcatV2", [found, rows], pen.const(0, DType.INT32))])
    return result


def _limits(call: Call) -> list[Tensor]:
    """The number of boxes of a class, the overlap, the score; scalars."""
    number = _scalar(call, 2, 0, DType.INT64).most(2**31 - 1).to(DType.INT32)
    overlap, score = _scalar(call, 3, 0.0, DType.FLOAT), _scalar(call, 4, float("-inf"), DType.FLOAT)
    return [number.tensor, overlap.tensor, score.tensor]


def _scalar(call: Call, index: int, default: float, dtype: DType) -> Term:
    if not call.has(index):
        return term(call, default, dtype)
    return given(call, index).scalar()


def _rows(call: Call, boxes: Tensor, scores: Tensor, limits: list[Tensor], at: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    """The boxes that stay of one class of one image; `at`: the row of the scores, the image, the class."""
    row, image, kind = at
    zero = call.const(0, DType.INT32)
    here, marks = call.emit("GatherV2", boxes, image, zero), call.emit("GatherV2", scores, row, zero)
    kept = call.emit("NonMaxSuppressionV3", here, marks, *limits)
    shape = call.emit("Shape", kept)
    numbers = [call.emit("Fill", shape, each) for each in (image, kind)]
    return call.cast(call.emit("Pack", [*numbers, kept], axis=1), DType.INT64)


def _corners(call: Call) -> Tensor:
    """Boxes by two corners, of boxes by centre, width and height."""
    node = call.emit_node("Unpack", call.tensor(0), num=4, axis=-1)
    x, y, width, height = (Tensor(node, index) for index in range(4))
    halves = [call.emit("Mul", size, call.const(0.5, DType.FLOAT)) for size in (height, width)]
    low = [call.emit("Sub", centre, half) for centre, half in zip((y, x), halves, strict=True)]
    high = [call.emit("AddV2", centre, half) for centre, half in zip((y, x), halves, strict=True)]
    return call.emit("Pack", [*low, *high], axis=-1)


RULES: Mapping[str, Rule] = {
    "NonMaxSuppression": non_max_suppression,
}
