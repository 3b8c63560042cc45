"""TfIdfVectorizer: how often each n-gram of a list comes in a row of words.

Words that stand `skip + 1` apart are gathered as the rows of a matrix, compared with all n-grams of that length, and
counted; the counts go to the columns that the model names for them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from onnxpress_backends.tensorflow.call import Call, Rule
from onnxpress_backends.tensorflow.graphs.dtypes import DType
from onnxpress_backends.tensorflow.graphs.graph import Tensor

if TYPE_CHECKING:
    from numpy.typing import NDArray


def tf_idf_vectorizer(call: Call) -> Tensor:
    """TfIdfVectorizer of a row of known length, or of rows."""
    width = call.shape(0)[-1]
    if width is None:
        call.refuse("the number of words must be known")
    columns: list[int] = call.attribute("ngram_indexes")
    size = max(columns) + 1
    total = call.const(np.zeros(size), DType.FLOAT)
    for grams, places in _lists(call):
        target = np.zeros((len(grams), size), np.float32)
        target[np.arange(len(grams)), [columns[place] for place in places]] = 1
        length = grams.shape[1]
        for skip in range(1 if length == 1 else call.attribute("max_skip_count") + 1):
            starts = width - (length - 1) * (skip + 1)
            if starts > 0:
                index = np.arange(starts)[:, None] + np.arange(length) * (skip + 1)
                total = call.emit("AddV2", total, _counted(call, index, grams, target))
    return _weighted(call, total)


def _lists(call: Call) -> Iterator[tuple[NDArray[Any], range]]:
    """The n-grams of each length that counts, as rows, and their numbers."""
    strings = call.attribute("pool_strings")
    pool = np.array(strings, np.object_) if strings is not None else np.array(call.attribute("pool_int64s"), np.int64)
    starts: list[int] = [*call.attribute("ngram_counts"), len(pool)]
    number = 0
    for length, (start, end) in enumerate(pairwise(starts), 1):
        many = (end - start) // length
        if many and call.attribute("min_gram_length") <= length <= call.attribute("max_gram_length"):
            yield pool[start : start + many * length].reshape(many, length), range(number, number + many)
        number += many


def _counted(call: Call, index: NDArray[Any], grams: NDArray[Any], target: NDArray[Any]) -> Tensor:
    """The counts of some n-grams, in their columns."""
    words = call.tensor(0)
    rows = call.emit("GatherV2", words, call.const(index, DType.INT32), call.const(-1, DType.INT32))
    rows = call.emit("ExpandDims", rows, call.const(-2, DType.INT32))
    wanted = call.const(grams, words.dtype)
    same = call.emit("All", call.emit("Equal", rows, wanted), call.const([-1], DType.INT32))
    counts = call.emit("Sum", call.cast(same, DType.FLOAT), call.const([-2], DType.INT32))
    if call.rank(0) == 2:
        return call.emit("MatMul", counts, call.const(target, DType.FLOAT))
    product = call.emit(
        "Mul", call.emit("ExpandDims", counts, call.const(1, DType.INT32)), call.const(target, DType.FLOAT)
    )
    return call.emit("Sum", product, call.const([0], DType.INT32))


def _weighted(call: Call, counts: Tensor) -> Tensor:
    mode, weights = call.attribute("mode"), call.attribute("weights")
    if mode == "IDF":
        counts = call.emit("Minimum", counts, call.const(1, DType.FLOAT))
    if mode == "TF" or weights is None:
        return counts
    size = max(call.attribute("ngram_indexes")) + 1
    return call.emit("Mul", counts, call.const(np.resize(np.float32(weights), size), DType.FLOAT))


RULES: Mapping[str, Rule] = {
    "TfIdfVectorizer": tf_idf_vectorizer,
}
