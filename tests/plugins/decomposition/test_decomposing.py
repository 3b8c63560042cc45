"""decompose: changes it, leaves it alone, declines with the reason, inside a subgraph, equivalence; composition."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from calibrated import graph, numbers, ops
from onnxpress.testing import apply, assert_equivalent
from onnxpress_plugins.decomposition.decomposing import DECOMPOSE

FORMS = ("spatial", "channel", "tucker2", "auto")


def low_rank(outputs: int, inputs: int, *kernel: int, rank: int = 4) -> np.ndarray[Any, Any]:
    """A kernel that `rank` pairs of a kernel along the first axis and one along the others make."""
    first, others = kernel[:1], kernel[1:]
    a = numbers(rank, inputs, *first, seed=3).reshape(rank, -1)
    b = numbers(outputs, *others, rank, seed=4).reshape(-1, rank)
    product = (b @ a / np.sqrt(a.shape[1])).reshape(outputs, *others, inputs, *first)
    return np.ascontiguousarray(np.moveaxis(np.moveaxis(product, -2 if first else -1, 1), -1, 2) if first else product)


def convolution(weight: np.ndarray[Any, Any], *, attributes: str = "", size: str = "12,10", tail: str = "") -> ir.Model:
    channels = weight.shape[1]
    spatial = "N," + ",".join("HWD"[at] for at in range(weight.ndim - 2))
    y = f"float[{spatial.replace('N,', 'N,C,')}] y"
    body = f"a = Conv{attributes}(x, w, b) {tail or 'y = Relu(a)'}"
    return graph(body, x=f"float[N,{channels},{size}] x", y=y, w=weight, b=numbers(len(weight), seed=8))


@pytest.mark.parametrize(
    ("weight", "size", "attributes", "form"),
    [
        (numbers(8, 6, 3, 3), "12,10", "<pads = [1, 0, 2, 1]>", "spatial"),
        (numbers(8, 6, 3, 3), "12,10", "<pads = [1, 1, 1, 1], strides = [2, 1], dilations = [1, 2]>", "spatial"),
        (numbers(6, 8, 3, 3), "H,W", '<auto_pad = "SAME_UPPER", strides = [2, 3]>', "spatial"),
        (numbers(6, 8, 4, 2), "12,10", '<auto_pad = "SAME_LOWER">', "spatial"),
        (numbers(6, 8, 1, 7), "12,10", "<pads = [0, 3, 0, 3], strides = [2, 1]>", "spatial"),
        (numbers(6, 8, 5, 3), "12,10", "<strides = [2, 2], pads = [2, 1, 2, 1]>", "channel"),
        (numbers(6, 8, 5, 3), "12,10", "<strides = [2, 2], pads = [2, 1, 2, 1]>", "tucker2"),
        (numbers(6, 8, 1, 1), "12,10", "<strides = [2, 2]>", "spatial"),
        (numbers(6, 8, 3), "12", "<strides = [2], pads = [1, 1]>", "spatial"),
        (numbers(6, 8, 3), "12", "<strides = [2], pads = [1, 1]>", "tucker2"),
        (numbers(6, 4, 3, 2, 3), "6,5,7", "<strides = [2, 1, 1], pads = [1, 0, 1, 1, 1, 1]>", "spatial"),
        (numbers(6, 4, 3, 2, 3), "6,5,7", "<dilations = [2, 1, 1]>", "tucker2"),
        (numbers(1, 1, 3, 3), "12,10", "", "spatial"),
        (np.zeros((4, 3, 3, 3), np.float32), "12,10", "", "spatial"),
        (np.ones((4, 3, 3, 3), np.float32), "12,10", "", "tucker2"),
    ],
)
def test_full_rank_is_exact(weight: np.ndarray[Any, Any], size: str, attributes: str, form: str) -> None:
    made = convolution(weight, attributes=attributes, size=size)
    inputs = {"x": numbers(2, weight.shape[1], *([12, 10] if size == "H,W" else map(int, size.split(","))))}
    for ranks in full_ranks(weight.shape, form):
        after, notes = apply(DECOMPOSE, made, form=form, policy="ranks", ranks=[f"a: {ranks}"])
        assert len(notes.details["layers"]) == 1 and ops(after)["Conv"] == (3 if "x" in ranks else 2)
        assert_equivalent(made, after, inputs, rtol=0, atol=2e-5)


def full_ranks(shape: tuple[int, ...], form: str) -> list[str]:
    """The full ranks of a kernel, as the option takes them; of `spatial` those of every order."""
    outputs, inputs, *kernel = shape
    if max(kernel) == 1:
        return [str(min(outputs, inputs))]
    if form == "tucker2":
        return [f"{inputs}x{outputs}"]
    taps = int(np.prod(kernel))
    own = {1, taps, *kernel, *(taps // size for size in kernel)} - ({taps} if len(kernel) > 1 else {1})
    firsts = [taps] if form == "channel" else sorted(own)
    return sorted({str(min(inputs * first, outputs * taps // first)) for first in firsts if first > 1 or 1 in kernel})
