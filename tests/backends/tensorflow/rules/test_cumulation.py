"""CumSum and CumProd along axes that are known or computed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

Agree = Callable[..., list[str]]

X = np.random.default_rng(0).standard_normal((2, 3, 4)).astype(np.float32)


@pytest.mark.parametrize("exclusive", [0, 1])
@pytest.mark.parametrize("reverse", [0, 1])
@pytest.mark.parametrize("axis", [0, -1])
def test_sums(agree: Agree, exclusive: int, reverse: int, axis: int):
    node = f"y = CumSum<exclusive = {exclusive}, reverse = {reverse}>(x, axis)"
    known = f"axis = Constant<value = int64 {{{axis}}}>()"
    agree(f"agraph (float[a,b,c] x) => (float[a,b,c] y) {{ {known} {node} }}", {"x": X})
    agree(
        f"agraph (float[a,b,c] x, int32 axis) => (float[a,b,c] y) {{ {node} }}",
        {"x": X, "axis": np.array(axis, np.int32)},
    )


def test_products(emitted: Callable[[str], Any]):
    header = '<ir_version: 10, opset_import: ["" : 26]>'
    text = f"{header} agraph (float[a,b,c] x, int64 axis) => (float[a,b,c] y) {{ y = CumProd(x, axis) }}"
    np.testing.assert_allclose(emitted(text)(X, 1), X.cumprod(1), rtol=1e-5)


def test_nothing_moves(agree_on_image: Agree):
    agree_on_image("one = Constant<value = int64 {1}>() d = CumSum(c, one)")
