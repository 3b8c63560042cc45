"""Scattering by index: ScatterElements (and Scatter, its old name), ScatterND, TensorScatter.

Elements that are hit are replaced, or joined with the updates by a sum, a maximum or a minimum; for a product, for
which TensorFlow has no scatter, the updates are first multiplied together where they meet, 1 elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping

from onnxpress_backends.tensorflow.call import Call, Rule
from onnxpress_backends.tensorflow.geometry.positions import sizes_in, strides
from onnxpress_backends.tensorflow.geometry.terms import Term, count, given, packed, product, sizes, term
from onnxpress_backends.tensorflow.graphs.dtypes import DType
from onnxpress_backends.tensorflow.graphs.graph import Tensor
from onnxpress_backends.tensorflow.layout.layouts import Layout, logical
from onnxpress_backends.tensorflow.layout.values import Laid
from onnxpress_backends.tensorflow.rules.gathering import element_numbers, from_start

_REDUCTIONS: Mapping[str, str] = {
    "none": "TensorScatterUpdate",
    "add": "TensorScatterAdd",
    "max": "TensorScatterMax",
    "min": "TensorScatterMin",
}


def scatter_elements(call: Call) -> Laid:
    """ScatterElements, in the layout that the data have."""
    data, layout = call.value(0).permuted
    layout = layout or logical(call.rank(0))
    axis = layout.axis(call.attribute("axis", 0))
    dims = sizes_in(call, data, layout.arrange(call.shape(0)))
    indices = Term(call, call.tensor(1, layout))
    counts = sizes_in(call, indices.tensor, layout.arrange(call.shape(1)))
    numbers = element_numbers(from_start(indices, dims[axis]), axis, dims, counts)
    return _elementwise(call, data, layout, dims, numbers)


def _elementwise(call: Call, data: Tensor, layout: Layout, dims: list[Term], numbers: Term, updates: int = 2) -> Laid:
    """Updates of the elements that are `numbers`."""
    row = call.const([-1], DType.INT32)
    flat = call.emit("Reshape", data, row)
    news = call.emit("Reshape", call.tensor(updates, layout), row)
    column = call.emit("Reshape", numbers.tensor, call.const([-1, 1], DType.INT32))
    reduction = call.attribute("reduction", "none")
    if reduction == "mul":
        places = call.emit("Reshape", column, row)
        factors = call.emit("UnsortedSegmentProd", news, places, product(dims).to(DType.INT32).tensor)
        result = call.emit("Mul", flat, factors)
    else:
        result = call.emit(_REDUCTIONS[reduction], flat, column, news)
    return Laid(call.emit("Reshape", result, packed(call, dims).tensor), layout)


def scatter_nd(call: Call) -> Tensor:
    """ScatterND: rows, at tuples of indices."""
    depth = call.shape(1)[-1]
    if depth is None:
        call.refuse("the last size of the indices must be known")
    dims = sizes(call, 0, DType.INT64)
    if depth == 0:
        call.refuse("indices of no axes replace the whole tensor; use the updates themselves")
    indices = from_start(given(call, 1), packed(call, dims[:depth]))
    reduction = call.attribute("reduction", "none")
    if reduction != "mul":
        return call.emit(_REDUCTIONS[reduction], call.tensor(0), indices.tensor, call.tensor(2))
    rows = product(dims[:depth])
    numbers = (indices * packed(call, strides(dims[:depth]))).reduce("Sum", -1)
    factors = call.emit("UnsortedSegmentProd", call.tensor(2), numbers.tensor, rows.to(DType.INT32).tensor)
    return call.emit("Mul", call.tensor(0), call.emit("Reshape", factors, packed(call, dims).tensor))


def tensor_scatter(call: Call) -> Laid:
    """TensorScatter: a row of updates along an axis, from where each sample of the batch says; may wrap around."""
    data, layout = call.value(0).permuted
    layout = layout or logical(call.rank(0))
    axis, batch = layout.axis(call.attribute("axis", -2)), layout.axis(0)
    dims = sizes_in(call, data, layout.arrange(call.shape(0)))
    counts = sizes_in(call, call.tensor(1, layout), layout.arrange(call.shape(1)))
    rank = layout.rank
    indices = count(call, counts[axis]).at(*(each for each in range(rank) if each != axis))
    starts = given(call, 2) if call.has(2) else term(call, [0], DType.INT64)
    indices = indices + starts.to(DType.INT64).at(*(each for each in range(rank) if each != batch))
    if call.attribute("mode", "linear") == "circular":
        indices = indices % dims[axis]
    return _elementwise(call, data, layout, dims, element_numbers(indices, axis, dims, counts), updates=1)


RULES: Mapping[str, Rule] = {
    "Scatter": scatter_elements,
    "ScatterElements": scatter_elements,
    "ScatterND": scatter_nd,
    "TensorScatter": tensor_scatter,
}
