"""Convolutions as stacks of smaller ones, on plain arrays.

    spatial    k x 1, 1 x k             Jaderberg et al., BMVC 2014; closed form: Tai et al., ICLR 2016
    channel    k x k, 1 x 1             Zhang et al., CVPR 2015
    low_rank   1 x 1, 1 x 1             a matrix or a 1 x 1 convolution
    tucker2    1 x 1, k x k, 1 x 1      Kim et al., ICLR 2016; De Lathauwer et al., SIAM J. Matrix Anal. 21 (2000)

All are exact at full rank, zero padding and strides included.  Strides, padding and dilation of an axis go to the
convolution that has the axis; the bias goes to the last one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from onnxpress.decomposition.leading_subspace import leading, precision
from onnxpress.decomposition.matrix_factors import Factors, factor, narrowed
from onnxpress.decomposition.triangular_roots import root, unwhiten
from onnxpress.decomposition.unfoldings import Unfolding
from onnxpress.errors import InvalidData, InvalidOption

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.floating[Any]]

_AXES = {"vertical": 0, "horizontal": 1}

_FLOATS = "fV"
"""Kinds of numpy types: those of numpy's own, and bfloat16."""

_STILL = 1e-36
"""Mean variance up to which nothing moves: float32, in which samples are multiplied, rounds below it."""


def split(
    weight: Array, rank: int, *, first_axes: Sequence[int], covariance: Array | None = None
) -> tuple[Array, Array]:
    """Two convolutions in place of one, of which the first has some axes of the kernel and the second the rest.

    Args:
        weight: ``(outputs, inputs, *kernel)``, finite.
        rank: Channels between the two.
        first_axes: The axes of the kernel, counted from 0, of the first convolution.
        covariance: Covariance of what the first convolution sees, inputs varying slowest, ``(n, n)`` with n the product
            of inputs and the sizes of `first_axes`; None minimises the error of the weight instead of the output's.

    Returns:
        The weights ``(rank, inputs, *kernel)`` and ``(outputs, rank, *kernel)``, where axes that a convolution does not
        have are 1, in the type of `weight`.

    Raises:
        InvalidData: `weight` is no array of finite floats, `rank` is not between 1 and the smaller side of the matrix,
            or the kernel lacks an axis.
    """
    unfolding = Unfolding(_checked(weight), first_axes)
    strangers = sorted(set(first_axes) - set(range(weight.ndim - 2)))
    if strangers:
        raise InvalidData(f"a kernel of shape {list(weight.shape[2:])} has no axes {strangers}; they count from 0")
    if not 1 <= rank <= unfolding.side:
        shape = list(weight.shape)
        raise InvalidData(f"a weight of shape {shape} has ranks 1 to {unfolding.side} in this form, not {rank}")
    factors = factor(unfolding, rank, root=_root(covariance, unfolding.columns))
    return folded(unfolding, factors, weight)


def folded(unfolding: Unfolding, factors: Factors, weight: Array) -> tuple[Array, Array]:
    """Factors as the weights of two convolutions, in the type of `weight`."""
    return narrowed(unfolding.first(factors.first), unfolding.second(factors.second), weight.dtype)


def spatial(
    weight: Array, rank: int, *, first: Literal["vertical", "horizontal"] = "vertical", covariance: Array | None = None
) -> tuple[Array, Array]:
    """A k x 1 convolution, then a 1 x k one, or the other way around; see `split`.

    Args:
        weight: ``(outputs, inputs, height, width)``.
        rank: Channels between the two.
        first: Direction of the first one.
        covariance: As `split` takes it.

    Raises:
        InvalidOption: There is no direction `first`.
        InvalidData: As `split` says.
    """
    if first not in _AXES:
        raise InvalidOption(f"'first' must be {' or '.join(_AXES)}, not {first!r}")
    return split(weight, rank, first_axes=[_AXES[first]], covariance=covariance)


def channel(weight: Array, rank: int, *, covariance: Array | None = None) -> tuple[Array, Array]:
    """A convolution of the same kernel with fewer outputs, then a 1 x 1 one; see `split`."""
    return split(weight, rank, first_axes=range(weight.ndim - 2), covariance=covariance)


def low_rank(weight: Array, rank: int, *, covariance: Array | None = None) -> tuple[Array, Array]:
    """Two matrices, or 1 x 1 convolutions, in place of one; see `split`.

    Args:
        weight: ``(outputs, inputs)``, or with axes of size 1 behind.
        rank: Numbers between the two.
        covariance: As `split` takes it.
    """
    return split(weight, rank, first_axes=(), covariance=covariance)


def tucker2(
    weight: Array, ranks: tuple[int, int], *, sweeps: int = 0, covariance: Array | None = None
) -> tuple[Array, Array, Array]:
    """A 1 x 1 convolution, one of the same kernel between fewer channels, and a 1 x 1 one.

    Args:
        weight: ``(outputs, inputs, *kernel)``, finite.
        ranks: Channels before and behind the one in the middle.
        sweeps: Alternating improvements of both (HOOI).
        covariance: Covariance of the input channels, ``(inputs, inputs)``; None minimises the error of the weight.

    Returns:
        The weights ``(r_in, inputs, 1...)``, ``(r_out, r_in, *kernel)`` and ``(outputs, r_out, 1...)``.

    Raises:
        InvalidData: `weight` is no array of finite floats, or a rank is not between 1 and its number of channels.
    """
    outputs, inputs, *kernel = _checked(weight).shape
    for rank, channels, side in zip(ranks, (inputs, outputs), ("input", "output"), strict=True):
        if not 1 <= rank <= channels:
            raise InvalidData(f"{channels} {side} channels have ranks 1 to {channels}, not {rank}")
    numbers = weight.astype(np.result_type(weight, np.float32), copy=False)
    triangle = _root(covariance, inputs)
    if triangle is not None:  # its scale is that of parts, not of their product
        triangle /= np.exp2(np.round(np.log2(np.linalg.norm(triangle) / np.sqrt(inputs)))).astype(triangle.dtype)
    white = numbers if triangle is None else turned(numbers, 1, triangle)
    (_, behind), (_, before) = basis(white, 0, ranks[1]), basis(white, 1, ranks[0])
    for _ in range(sweeps):
        _, behind = basis(turned(white, 1, before), 0, ranks[1])
        _, before = basis(turned(white, 0, behind), 1, ranks[0])
    core = turned(turned(white, 0, behind), 1, before)
    if triangle is not None:
        unwhiten(before, triangle.astype(before.dtype))
    ones = (1,) * len(kernel)
    parts = _balanced(before.T, core.reshape(*core.shape[:2], -1), behind)
    shapes = ((ranks[0], inputs, *ones), (ranks[1], ranks[0], *kernel), (outputs, ranks[1], *ones))
    a, b, c = (part.reshape(shape).astype(weight.dtype) for part, shape in zip(parts, shapes, strict=True))
    return a, b, c


def basis(numbers: Array, axis: int, rank: int) -> tuple[Array, Array]:
    """The leading directions of the outputs, axis 0, or the inputs, axis 1, of a kernel.

    Returns:
        Their energies, descending, ``(rank,)``, and themselves as columns, ``(channels, rank)``.
    """
    outputs = axis == 0
    unfolding = Unfolding(numbers, range(numbers.ndim - 2) if outputs else ())
    return leading(unfolding.gram(of_rows=outputs, dtype=precision(numbers.shape[axis])), rank)


def turned(numbers: Array, axis: int, columns: Array) -> Array:
    """`numbers` with `axis` in terms of the columns of a basis, or of any other matrix."""
    return np.moveaxis(np.tensordot(numbers, columns.astype(numbers.dtype), (axis, 0)), -1, axis)


def root_of(covariance: Array, *, shrinkage: float = 1e-2) -> Array:
    """The lower triangular L with ``L L^T = S + shrinkage * mean variance * 1``.

    Shrinkage stands for the directions in which the samples happened not to move.

    Raises:
        InvalidData: `covariance` is no covariance: not square, not finite, or not positive.
    """
    if covariance.ndim != 2 or len(covariance) != len(covariance.T) or not np.isfinite(covariance).all():
        raise InvalidData(f"a covariance is a finite square matrix, not an array of shape {list(covariance.shape)}")
    mean = float(np.trace(covariance, dtype=np.float64)) / len(covariance)
    if mean <= _STILL:
        return np.eye(len(covariance), dtype=covariance.dtype)
    shrunk = covariance.copy()
    np.einsum("ii->i", shrunk)[:] += shrinkage * mean
    try:
        root(shrunk)
    except np.linalg.LinAlgError as error:
        if covariance.dtype != np.float64:
            return root_of(covariance.astype(np.float64), shrinkage=shrinkage).astype(covariance.dtype)
        raise InvalidData("a covariance must have no negative eigenvalue") from error
    return shrunk


def _root(covariance: Array | None, size: int) -> Array | None:
    if covariance is None:
        return None
    if covariance.shape != (size, size):
        raise InvalidData(f"the covariance has to be of shape {[size, size]} here, not {list(covariance.shape)}")
    return root_of(covariance)


def _balanced(first: Array, core: Array, last: Array) -> tuple[Array, Array, Array]:
    """The energy of each channel between two convolutions, half to either side."""
    before = np.sqrt(np.linalg.norm(core, axis=(0, 2)))
    behind = np.sqrt(np.linalg.norm(core, axis=(1, 2)))
    before, behind = (np.where(scale > 0, scale, 1.0) for scale in (before, behind))
    return first * before[:, None], core / before[None, :, None] / behind[:, None, None], last * behind


def _checked(weight: Array) -> Array:
    if weight.ndim < 2 or weight.dtype.kind not in _FLOATS:
        given = f"{weight.dtype} of shape {list(weight.shape)}"
        raise InvalidData(f"a weight is an array of floats, outputs x inputs x kernel, not {given}")
    if not weight.size:
        raise InvalidData(f"a weight of shape {list(weight.shape)} holds no numbers")
    if not np.isfinite(weight).all():
        raise InvalidData("the weight holds NaN or infinity")
    return weight
