"""TfIdfVectorizer against onnxruntime."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from one_node import case
from onnxpress.errors import UnsupportedModel
from onnxpress.testing import model

Agree = Callable[..., list[str]]
POOL = {"pool_int64s": [2, 3, 5, 4, 5, 6, 7, 8, 6, 7], "ngram_counts": [0, 4], "ngram_indexes": [0, 1, 2, 3, 4, 5, 6]}
WEIGHTS = {"weights": [1.5, 2.0, 0.5, 3.0, 0.25, 4.0, 1.0]}


@pytest.mark.parametrize("mode", ["TF", "IDF", "TFIDF"])
@pytest.mark.parametrize("rows", [(12,), (2, 6)])
@pytest.mark.parametrize(("least", "skip"), [(1, 0), (1, 2), (2, 5)])
def test_counts(agree: Agree, mode: str, rows: tuple[int, ...], least: int, skip: int):
    x = np.array([1, 1, 3, 3, 3, 7, 8, 6, 7, 5, 6, 8]).reshape(rows)
    limits = {"min_gram_length": least, "max_gram_length": 2, "max_skip_count": skip}
    node = case("TfIdfVectorizer", {"x": x}, mode=mode, **POOL, **WEIGHTS, **limits)
    node.model.graph.outputs[0].dtype = node.model.graph.outputs[0].dtype.FLOAT
    agree(node.model, node.feeds)


def test_rows_of_unknown_length_are_refused(agree: Agree):
    text = """agraph (int64[n] x) => (float[2] y) { y = TfIdfVectorizer<mode = "TF", min_gram_length = 1,
        max_gram_length = 1, max_skip_count = 0, ngram_counts = [0], ngram_indexes = [0, 1],
        pool_int64s = [1, 2]>(x) }"""
    with pytest.raises(UnsupportedModel, match="the number of words must be known"):
        agree(model(text), {"x": np.array([1])})
