"""Where the elements of a resized axis come from, and what they count: ONNX's Resize along one axis.

Each element of the result has a coordinate on the old axis.  Its value is the nearest element's, or the sum of those
around it, weighted by a function of their distance: a triangle (linear), or two pieces of third degree with the
parameter ``a`` (cubic; Keys, "Cubic convolution interpolation for digital image processing", 1981, equation 4).  With
``antialias`` the function is stretched by the factor that the axis shrinks.  All in float32, as in onnxruntime.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from onnxpress_backends.tensorflow.geometry.taps import Taps
from onnxpress_backends.tensorflow.geometry.terms import Term, count, term
from onnxpress_backends.tensorflow.graphs.dtypes import DType


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """How an axis is resized.

    Attributes:
        size: Elements before.
        out: Elements after.
        scale: float32; what ``out / size`` should be.
        crop: Start and end of the part that is resized, as fractions of the axis; only for ``tf_crop_and_resize``.
    """

    size: Term
    out: Term
    scale: Term
    crop: tuple[Term, Term] | None = None


@dataclass(frozen=True, kw_only=True)
class Filter:
    """How elements around a coordinate are weighted.

    Attributes:
        cubic: The parameter ``a``; None: linear.
        antialias: Whether it is stretched where the axis shrinks.
        exclude_outside: Whether elements beyond the ends count nothing; otherwise those at the ends count for them.
    """

    cubic: float | None
    antialias: bool
    exclude_outside: bool

    def taps(self, where: Term, axis: Stretch) -> Taps:
        """The taps for coordinates `where`."""
        call = where.call
        reach = term(call, 1 if self.cubic is None else 2, DType.FLOAT)
        shrink = axis.scale.most(1.0) if self.antialias else term(call, 1, DType.FLOAT)
        first = (-reach / shrink).floor() + 1
        steps = count(call, (2 - first * 2).to(DType.INT32)).to(DType.FLOAT) + first
        places = where.floor().at(1) + steps.at(0)
        weights = self._weight((places - where.at(1)) * shrink)
        positions = places.to(DType.INT32)
        inside = positions.clip(0, axis.size - 1)
        if self.exclude_outside:
            weights = inside.equals(positions).where(weights, 0.0)
        if self.antialias or self.exclude_outside:
            weights = weights / weights.reduce("Sum", 1).at(1)
        return Taps(positions=inside, weights=weights)

    def _weight(self, distance: Term) -> Term:
        far = distance.abs()
        return (1 - far).least(0) if self.cubic is None else cubic(far, self.cubic)


def cubic(far: Term, a: float) -> Term:
    """What an element counts in an interpolation of third degree, by its distance."""
    near_piece = (far * (a + 2) - (a + 3)) * far * far + 1
    far_piece = ((far * a - 5 * a) * far + 8 * a) * far - 4 * a
    return (far > 1).where((far < 2).where(far_piece, 0.0), near_piece)


def coordinates(axis: Stretch, mode: str) -> Term:
    """Where each element of the result is on the old axis, by ``coordinate_transformation_mode``.

    Raises:
        KeyError: ONNX has no such mode.
    """
    return _COORDINATES[mode](count(axis.out.call, axis.out).to(DType.FLOAT), axis)


def _half_pixel(x: Term, axis: Stretch) -> Term:
    return (x + 0.5) / axis.scale - 0.5


def _pytorch_half_pixel(x: Term, axis: Stretch) -> Term:
    return (axis.out > 1).where(_half_pixel(x, axis), 0.0)


def _half_pixel_symmetric(x: Term, axis: Stretch) -> Term:
    size = axis.size.to(DType.FLOAT)
    adjustment = axis.out.to(DType.FLOAT) / (axis.scale * size)
    return size / 2 * (1 - adjustment) + (x + 0.5) / axis.scale - 0.5


def _half_pixel_for_nearest(x: Term, axis: Stretch) -> Term:
    return (x + 0.5) / axis.scale


def _asymmetric(x: Term, axis: Stretch) -> Term:
    return x / axis.scale


def _align_corners(x: Term, axis: Stretch) -> Term:
    size = axis.size.to(DType.FLOAT)
    steps = size * axis.scale - 1
    return steps.equals(0.0).where(x * 0, x * (size - 1) / steps)


def _crop_and_resize(x: Term, axis: Stretch) -> Term:
    assert axis.crop is not None
    start, end = axis.crop
    last = axis.size.to(DType.FLOAT) - 1
    steps = axis.size.to(DType.FLOAT) * axis.scale - 1
    single = x * 0 + (start + end) * last * 0.5
    return steps.equals(0.0).where(single, start * last + x * (end - start) * last / steps)


_COORDINATES: Mapping[str, Callable[[Term, Stretch], Term]] = {
    "align_corners": _align_corners,
    "asymmetric": _asymmetric,
    "half_pixel": _half_pixel,
    "half_pixel_symmetric": _half_pixel_symmetric,
    "pytorch_half_pixel": _pytorch_half_pixel,
    "tf_crop_and_resize": _crop_and_resize,
    "tf_half_pixel_for_nn": _half_pixel_for_nearest,
}


def nearest(where: Term, rounding: str, size: Term) -> Term:
    """The elements nearest to coordinates, by ``nearest_mode``.

    Raises:
        KeyError: ONNX has no such mode.
    """
    return _ROUNDINGS[rounding](where).to(DType.INT32).clip(0, size - 1)


_ROUNDINGS: Mapping[str, Callable[[Term], Term]] = {
    "ceil": lambda where: where.ceil(),
    "floor": lambda where: where.floor(),
    "round_prefer_ceil": lambda where: (where + 0.5).floor(),
    "round_prefer_floor": lambda where: (where - 0.5).ceil(),
}
