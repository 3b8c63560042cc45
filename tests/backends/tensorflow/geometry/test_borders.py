"""Borders that are known and that are computed, around tensors and off them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from formulas import by_tensorflow, known
from one_node import FEW
from onnxpress_backends.tensorflow.geometry.borders import bordered, trimmed
from onnxpress_backends.tensorflow.geometry.terms import Term, term

AMOUNTS = st.lists(st.tuples(st.integers(-1, 2), st.integers(-1, 2)), min_size=2, max_size=2)


@FEW
@given(amounts=AMOUNTS, fill=st.sampled_from([None, 7]), computed=st.booleans())
def test_as_numpy(tf: Any, tmp_path: Path, amounts: list[tuple[int, int]], fill: int | None, computed: bool):
    x = np.arange(12, dtype=np.int32).reshape(3, 4)

    def formula(tensor: Term, numbers: Term) -> Any:
        call = tensor.call
        source = numbers if computed else term(call, np.reshape(amounts, -1))
        border = [(source[0], source[1]), (source[2], source[3])]
        held = None if fill is None else term(call, fill).tensor
        return bordered(call, trimmed(call, tensor.tensor, border), border, held)

    inner = x[tuple(slice(max(-a, 0), size - max(-b, 0)) for (a, b), size in zip(amounts, x.shape, strict=True))]
    expected = np.pad(inner, np.maximum(amounts, 0), constant_values=fill or 0)
    flat = np.array(amounts, np.int32).reshape(-1)
    np.testing.assert_array_equal(by_tensorflow(formula, x, flat, folder=tmp_path), expected)


def test_nothing_for_nothing():
    tensor, zero = known(np.zeros((2, 2), np.float32), np.array(0, np.int32))
    border = [(zero, zero)] * 2
    given_tensor = tensor.tensor
    assert bordered(tensor.call, trimmed(tensor.call, given_tensor, border), border) is given_tensor
