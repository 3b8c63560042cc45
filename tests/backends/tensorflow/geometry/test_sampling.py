"""Elements around points between them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from formulas import by_tensorflow, known
from onnxpress_backends.tensorflow.geometry.sampling import Pictures, linear, weighted
from onnxpress_backends.tensorflow.geometry.terms import Term, term
from onnxpress_backends.tensorflow.graphs.dtypes import DType


def test_two_neighbours_of_which_those_outside_count_nothing():
    where, size = known(np.array([-0.25, 0, 1.5, 2.75], np.float32), np.array(3, np.int32))
    near = linear(where, size)
    assert near.positions.known is not None
    assert near.positions.known.tolist() == [[0, 0], [0, 1], [1, 2], [2, 2]]
    np.testing.assert_allclose(near.weights.known, [[0, 0.75], [1, 0], [0.5, 0.5], [0.25, 0]])  # type: ignore[arg-type]


def test_elements_of_pictures(tf: Any, tmp_path: Path):
    x = np.arange(2 * 3 * 4 * 5, dtype=np.float32).reshape(2, 3, 4, 5)

    def formula(tensor: Term, picture: Term, row: Term) -> Any:
        call = tensor.call
        sizes = [term(call, 3), term(call, 4)]
        pictures = Pictures(tensor=tensor.tensor, sizes=sizes, channels=term(call, 5))
        column = term(call, [1, 3]).at(0)
        return weighted(call, pictures.at(picture.at(1), [row.at(1), column]), [row.at(1).to(DType.FLOAT)])

    picture, row = np.array([1, 0, 1], np.int32), np.array([2, 0, 1], np.int32)
    expected = x[picture[:, None], row[:, None], [1, 3]] * row[:, None, None]
    np.testing.assert_array_equal(by_tensorflow(formula, x, picture, row, folder=tmp_path), expected)
