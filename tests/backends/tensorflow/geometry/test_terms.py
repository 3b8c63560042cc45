"""A formula gives the same, bits and types, on paper and in TensorFlow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from formulas import Formula, by_tensorflow, known
from one_node import FEW
from onnxpress_backends.tensorflow.geometry.terms import Term, count, packed, product, term
from onnxpress_backends.tensorflow.graphs.dtypes import DType

INTEGERS = arrays(np.int32, 4, elements=st.integers(-40, 40))
FLOATS = arrays(np.float32, 4, elements=st.floats(-40, 40, width=16))


def same(formula: Formula, *numbers: Any, folder: Path) -> Any:
    """What both give."""
    on_paper = formula(*known(*numbers))
    assert isinstance(on_paper, Term)
    assert on_paper.known is not None
    computed = by_tensorflow(formula, *numbers, folder=folder)
    assert computed.dtype == on_paper.known.dtype
    np.testing.assert_array_equal(computed, on_paper.known)
    return computed


@FEW
@given(a=INTEGERS, b=INTEGERS)
@pytest.mark.parametrize(
    "formula",
    [
        lambda a, b: (a + b - 3) * 2 - a * b,
        lambda a, b: (a // 3 + a % 5) // (b.abs() + 1) % -7,
        lambda a, b: 4 - a.clip(-2, b.least(3)).most(7),
        lambda a, b: (a < b).where(-a, 9) + ((a > 0) & b.equals(a)).to(DType.INT32),
        lambda a, b: packed(a.call, [a, b]).reduce("Sum", 0) + packed(a.call, [a[1], b[2]]).reduce("Max", 0),
        lambda a, b: (a.at(1) * b.at(0)).reshape(2, -1).reduce("Min", 1),
    ],
)
def test_integers(tf: Any, tmp_path: Path, formula: Formula, a: Any, b: Any):
    same(formula, a, b, folder=tmp_path)


@FEW
@given(a=FLOATS, b=FLOATS)
@pytest.mark.parametrize(
    "formula",
    [
        lambda a, b: (a + 0.5) / (b.abs() + 1) - 0.5,
        lambda a, b: a.floor() + b.ceil() * (a - b).round(),
        lambda a, b: a.to(DType.INT32) + (b * 3).to(DType.INT32),
        lambda a, b: (a % (b.abs() + 1)).to(DType.DOUBLE),
    ],
)
def test_fractions(tf: Any, tmp_path: Path, formula: Formula, a: Any, b: Any):
    same(formula, a, b, folder=tmp_path)


def test_counting(tf: Any, tmp_path: Path):
    five = np.array(5, np.int32)
    assert same(lambda n: count(n.call, n) * 2, five, folder=tmp_path).tolist() == [0, 2, 4, 6, 8]
    assert same(lambda n: product([n, n, term(n.call, 2)]), five, folder=tmp_path) == 50


def test_what_is_known_leaves_no_node():
    size, step = known(np.array(7, np.int32), np.array(2, np.int32))
    assert ((size + step) // 2).known == 4
    assert not size.call.graph.nodes
