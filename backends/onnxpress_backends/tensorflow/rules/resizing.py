"""Resize: one of TensorFlow's operators where its convention is the same, else axis by axis by taps.

TensorFlow's scale is always ``out / size``; its coordinates are those of ``align_corners``, ``half_pixel`` or
``asymmetric``, and it rounds to the nearest down, halves up.  Whether a nearest resize is the same is found by trying:
both pick the same elements.  Where a size is not known and the scale is whole, the picks repeat, and any size will do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from onnxpress_backends.tensorflow.call import Call, Rule
from onnxpress_backends.tensorflow.geometry.resampling import Filter, Stretch, coordinates, nearest
from onnxpress_backends.tensorflow.geometry.taps import gathered, reduced
from onnxpress_backends.tensorflow.geometry.terms import Term, given, packed, sizes, term
from onnxpress_backends.tensorflow.graphs.dtypes import DType
from onnxpress_backends.tensorflow.graphs.graph import Tensor
from onnxpress_backends.tensorflow.layout.layouts import Layout
from onnxpress_backends.tensorflow.layout.values import Laid
from onnxpress_backends.tensorflow.shapes.size_tracing import keeps

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CROP = "tf_crop_and_resize"


def resize(call: Call) -> Laid:
    """Resize of any mode; Upsample became one when the opset was raised."""
    mode = call.attribute("coordinate_transformation_mode", "half_pixel")
    stretches = _stretches(call)
    changed = _cropped(call, stretches) if mode == _CROP else _changed(stretches)
    return _resized(call, changed, mode, call.attribute("nearest_mode", "round_prefer_floor"))


def _stretches(call: Call) -> dict[int, Stretch]:
    """How the axes that are named change."""
    spatial = sizes(call, 0)
    axes = _axes(call)
    if not _given(call, 2):
        return _by_sizes(call, {axis: spatial[axis] for axis in axes})
    scales = given(call, 2).to(DType.FLOAT)
    return {axis: _by_scale(spatial[axis], scales[index]) for index, axis in enumerate(axes)}


def _axes(call: Call) -> list[int]:
    rank = call.rank(0)
    return [axis % rank for axis in call.attribute("axes") or range(rank)]


def _cropped(call: Call, stretches: Mapping[int, Stretch]) -> dict[int, Stretch]:
    """The axes that change or are cropped, with the part that is left."""
    roi = given(call, 1).to(DType.FLOAT)
    axes = _axes(call)
    parts = {axis: (roi[index], roi[index + len(axes)]) for index, axis in enumerate(axes)}
    cropped = {axis for axis, (start, end) in parts.items() if start.known != 0 or end.known != 1}
    changed = cropped | _changed(stretches).keys()
    return {axis: replace(each, crop=parts[axis]) for axis, each in stretches.items() if axis in changed}


def _given(call: Call, index: int) -> bool:
    """Whether an input is there and not empty, which is the same."""
    return call.has(index) and 0 not in (call.value(index).shape or ())


def _by_scale(size: Term, scale: Term) -> Stretch:
    out = (size.to(DType.FLOAT) * scale).floor().to(DType.INT32)
    if scale.known == 1:
        out = size
    return Stretch(size=size, out=out, scale=scale)


def _by_sizes(call: Call, spatial: Mapping[int, Term]) -> dict[int, Stretch]:
    wanted = given(call, 3).to(DType.INT32)
    policy = call.attribute("keep_aspect_ratio_policy", "stretch")
    outs = [
        size if policy == "stretch" and keeps(call, axis, 3, index) else _wanted(call, axis, size, wanted[index])
        for index, (axis, size) in enumerate(spatial.items())
    ]
    ratios = [
        term(call, 1, DType.FLOAT) if out is size else out.to(DType.FLOAT) / size.to(DType.FLOAT)
        for out, size in zip(outs, spatial.values(), strict=True)
    ]
    if policy == "stretch":
        return {
            axis: Stretch(size=spatial[axis], out=out, scale=ratio)
            for axis, out, ratio in zip(spatial, outs, ratios, strict=True)
        }
    common = packed(call, ratios).reduce("Min" if policy == "not_larger" else "Max", 0)
    return {
        axis: Stretch(size=size, out=(size.to(DType.FLOAT) * common + 0.5).floor().to(DType.INT32), scale=common)
        for axis, size in spatial.items()
    }


def _wanted(call: Call, axis: int, size: Term, out: Term) -> Term:
    """The size that is asked for; `size` itself where shape inference says that the axis stays as it is."""
    if out.known is not None or call.attribute("keep_aspect_ratio_policy", "stretch") != "stretch":
        return out
    before, after = call.node.inputs[0], call.node.outputs[0]
    if before is None or before.shape is None or after.shape is None:
        return out
    dim = after.shape[axis]
    if dim == before.shape[axis] and (isinstance(dim, int) or dim.value is not None):
        return size
    return term(call, dim) if isinstance(dim, int) else out


def _changed(stretches: Mapping[int, Stretch]) -> dict[int, Stretch]:
    return {axis: each for axis, each in stretches.items() if not _same(each)}


def _same(axis: Stretch) -> bool:
    return bool(axis.scale.known == 1) and (axis.out is axis.size or bool(axis.out.known == axis.size.known))


def _resized(call: Call, stretches: Mapping[int, Stretch], mode: str, rounding: str) -> Laid:
    tensor, layout = call.value(0).permuted
    assert layout is not None
    if not stretches:
        return Laid(tensor, layout)
    nearly = call.attribute("mode", "nearest") == "nearest"
    alike = _alike(call, list(stretches.values()), mode, rounding if nearly else None)
    if alike is not None and layout.rank == 4 and len(stretches) == 2:
        return _at_once(call, stretches, nearly, alike)
    wide = DType.FLOAT if not nearly and tensor.dtype != DType.DOUBLE else tensor.dtype
    result = call.cast(tensor, wide)
    for axis, each in stretches.items():
        where = coordinates(each, mode)
        if nearly:
            result = gathered(call, result, layout.axis(axis), nearest(where, rounding, each.size))
        else:
            result = reduced(call, result, layout.axis(axis), layout.rank, _filter(call).taps(where, each), "Sum")
    if mode == _CROP:
        result = _extrapolated(call, result, stretches, layout)
    return Laid(call.cast(result, tensor.dtype), layout)


def _filter(call: Call) -> Filter:
    cubic = call.attribute("cubic_coeff_a", -0.75) if call.attribute("mode", "nearest") == "cubic" else None
    return Filter(
        cubic=cubic,
        antialias=bool(call.attribute("antialias", 0)),
        exclude_outside=bool(call.attribute("exclude_outside", 0)),
    )


def _at_once(call: Call, stretches: Mapping[int, Stretch], nearly: bool, convention: Mapping[str, bool]) -> Laid:
    others = [axis for axis in range(4) if axis not in stretches]
    layout = Layout((others[0], *sorted(stretches), others[1]))
    tensor = call.tensor(0, layout)
    out = packed(call, [stretches[axis].out for axis in sorted(stretches)]).tensor
    if nearly:
        return Laid(call.emit("ResizeNearestNeighbor", tensor, out, **convention), layout)
    return Laid(call.cast(call.emit("ResizeBilinear", tensor, out, **convention), tensor.dtype), layout)


_CONVENTIONS: Mapping[str, Mapping[str, bool]] = {
    "align_corners": {"align_corners": True},
    "asymmetric": {},
    "half_pixel": {"half_pixel_centers": True},
    "pytorch_half_pixel": {"half_pixel_centers": True},
    "tf_half_pixel_for_nn": {"half_pixel_centers": True},
}
"""TensorFlow's attributes for the coordinates of a mode."""


def _alike(call: Call, axes: Sequence[Stretch], mode: str, rounding: str | None) -> Mapping[str, bool] | None:
    """TensorFlow's convention when it gives the same; None when none does."""
    if mode not in _CONVENTIONS or any(call.attribute(name, 0) for name in ("antialias", "exclude_outside")):
        return None
    convention = _CONVENTIONS[mode]
    if rounding is not None:
        return convention if all(_picks_alike(axis, mode, rounding) for axis in axes) else None
    floats = call.dtype(0) in (DType.FLOAT, DType.HALF, DType.BFLOAT16)
    linear = call.attribute("mode") == "linear" and mode != "tf_half_pixel_for_nn"
    single = mode == "pytorch_half_pixel" and any(axis.out.known is None or axis.out.known < 2 for axis in axes)
    return convention if floats and linear and not single and all(_full(call, axis) for axis in axes) else None


def _full(call: Call, axis: Stretch) -> bool:
    """Whether the scale is what TensorFlow takes it to be, ``out / size``."""
    size, out, scale = axis.size.known, axis.out.known, axis.scale.known
    if scale is None:
        return _given(call, 3) and call.attribute("keep_aspect_ratio_policy", "stretch") == "stretch"
    if size is None or out is None:
        return float(scale).is_integer()
    return bool(np.float32(out) / np.float32(size) == scale)


def _picks_alike(axis: Stretch, mode: str, rounding: str) -> bool:
    call, scale = axis.size.call, axis.scale.known
    size, out = axis.size.known, axis.out.known
    if size is None or out is None:
        if scale is None or not float(scale).is_integer() or mode == "align_corners":
            return False
        size, out = np.asarray(4, np.int32), np.asarray(4 * int(scale), np.int32)
    ours = Stretch(size=term(call, size), out=term(call, out), scale=axis.scale)
    places = nearest(coordinates(ours, mode), rounding, ours.size).known
    return places is not None and bool((places == _tensorflow_picks(int(size), int(out), mode)).all())


def _tensorflow_picks(size: int, out: int, mode: str) -> NDArray[Any]:
    """What ResizeNearestNeighbor takes; `tensorflow/core/kernels/image/resize_nearest_neighbor_op.cc`."""
    places = np.arange(out, dtype=np.float32)
    if mode == "align_corners" and out > 1:
        picked = np.floor(places * (np.float32(size - 1) / np.float32(out - 1)) + np.float32(0.5))
    else:
        scale = np.float32(size) / np.float32(out)
        picked = np.floor((places + np.float32(0.5 * ("half_pixel" in mode))) * scale)
    inside: NDArray[Any] = np.minimum(picked, size - 1)
    return inside


def _extrapolated(call: Call, tensor: Tensor, stretches: Mapping[int, Stretch], layout: Layout) -> Tensor:
    """Elements that come from beyond an end hold a value of their own."""
    inside: Term | None = None
    for axis, each in stretches.items():
        where, place = coordinates(each, _CROP), layout.axis(axis)
        mine = where.clip(0, each.size.to(DType.FLOAT) - 1).equals(where)
        others = [other for other in range(layout.rank) if other != place]
        inside = mine.at(*others) if inside is None else inside & mine.at(*others)
    assert inside is not None
    value = call.const(call.attribute("extrapolation_value", 0.0), tensor.dtype)
    return call.emit("SelectV2", inside.tensor, tensor, value)


RULES: Mapping[str, Rule] = {
    "Resize": resize,
}
