"""Pad: a border of one value, or of what stands inside, repeated, mirrored or wrapped around.

TensorFlow mirrors with MirrorPad; a border of one element that repeats the edge is a mirror of the other kind.  All
else picks elements along each axis by where they come from, which serves pads that are computed, too.
"""

from __future__ import annotations

from collections.abc import Mapping

from onnxpress_backends.tensorflow.call import Call, Rule
from onnxpress_backends.tensorflow.geometry.borders import Border, bordered, trimmed
from onnxpress_backends.tensorflow.geometry.taps import gathered
from onnxpress_backends.tensorflow.geometry.terms import Term, count, given, packed, sizes, term
from onnxpress_backends.tensorflow.graphs.dtypes import DType
from onnxpress_backends.tensorflow.graphs.graph import Tensor
from onnxpress_backends.tensorflow.layout.values import Laid


def pad(call: Call) -> Laid:
    """Pad of any mode, in whatever layout the tensor lies."""
    rank = call.rank(0)
    tensor, layout = call.value(0).permuted
    assert layout is not None
    pads = _pads(call, rank)
    border = [(pads[axis], pads[axis + rank]) for axis in layout.perm]
    mode = call.attribute("mode", "constant")
    if mode == "constant":
        return Laid(bordered(call, trimmed(call, tensor, border), border, _fill(call, tensor.dtype)), layout)
    spatial = sizes(call, 0)
    mirror = _mirror(mode, border, [spatial[axis] for axis in layout.perm])
    if mirror is not None:
        amounts = packed(call, [packed(call, pair) for pair in border]).tensor
        return Laid(call.emit("MirrorPad", tensor, amounts, mode=mirror), layout)
    for place, (axis, (before, after)) in enumerate(zip(layout.perm, border, strict=True)):
        if before.known is None or after.known is None or before.known or after.known:
            places = count(call, spatial[axis] + before + after) - before
            tensor = gathered(call, tensor, place, _SOURCES[mode](places, spatial[axis]))
    return Laid(tensor, layout)


def _pads(call: Call, rank: int) -> list[Term]:
    """Elements before each axis, then after each; those of axes that are not named are 0."""
    numbers = given(call, 1).to(DType.INT32)
    if not call.has(3):
        return [numbers[index] for index in range(2 * rank)]
    axes = given(call, 3).to(DType.INT32) % rank
    named = axes.known
    if named is None:
        return _scattered(call, numbers, axes, rank)
    pads = [term(call, 0)] * (2 * rank)
    for index, axis in enumerate(named.tolist()):
        pads[axis], pads[axis + rank] = numbers[index], numbers[index + len(named)]
    return pads


def _scattered(call: Call, numbers: Term, axes: Term, rank: int) -> list[Term]:
    """The same for axes that are computed."""
    both = call.emit("ConcatV2", [axes.tensor, (axes + rank).tensor], call.const(0, DType.INT32))
    places = call.emit("ExpandDims", both, call.const(1, DType.INT32))
    nothing = call.const([0] * (2 * rank), DType.INT32)
    pads = Term(call, call.emit("TensorScatterUpdate", nothing, places, numbers.tensor))
    return [pads[index] for index in range(2 * rank)]


def _fill(call: Call, dtype: DType) -> Tensor | None:
    """What the border holds; None: zero."""
    if not call.has(2):
        return None
    known = call.constant(2)
    if known is None:
        return call.emit("Reshape", call.tensor(2), call.const([], DType.INT32))
    zero = dtype.is_float and known.reshape(()) == 0
    return None if zero else call.const(known.reshape(()), dtype)


def _mirror(mode: str, border: Border, spatial: list[Term]) -> str | None:
    """The mode of a MirrorPad that is the same; None when there is none."""
    known = [each.known for pair in border for each in pair]
    if any(amount is None or amount < 0 for amount in known):
        return None
    if mode == "edge" and all(amount is not None and amount <= 1 for amount in known):
        return "SYMMETRIC"
    reach = [None if size.known is None else size.known - 1 for size in spatial for _ in range(2)]
    fits = all(limit is None or amount is None or amount <= limit for amount, limit in zip(known, reach, strict=True))
    return "REFLECT" if mode == "reflect" and fits else None


def _edge(places: Term, size: Term) -> Term:
    return places.clip(0, size - 1)


def _reflected(places: Term, size: Term) -> Term:
    """There and back again takes ``2 * size - 2`` steps."""
    last = size - 1
    return last - (places % (last * 2).least(1) - last).abs()


def _wrapped(places: Term, size: Term) -> Term:
    return places % size


_SOURCES = {"edge": _edge, "reflect": _reflected, "wrap": _wrapped}
"""Where the element at a place comes from, by mode."""

RULES: Mapping[str, Rule] = {
    "Pad": pad,
}
