"""How the outputs of model B differ from those of model A on the same samples, and how often each is right."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from onnxpress.errors import InvalidData
from onnxpress.kinds import Progress, Silent
from onnxpress.measuring.difference import Difference
from onnxpress.measuring.matching import batch_size, match
from onnxpress.records import Comparison

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from onnxpress.kinds import Feeds, Runner


def compare(
    a: Runner,
    b: Runner,
    data: Iterable[Feeds],
    *,
    labels: Sequence[int] | NDArray[np.int64] | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Run both models on the same samples and measure the difference.

    Args:
        a: The reference.
        b: The other model; its inputs and outputs are matched with those of `a` by name, else by position.
        data: Feeds for `a`, samples along axis 0.
        labels: Class of each sample, which gives the accuracy of the first output with one score per class.
        progress: Told of every batch.

    Raises:
        UnsupportedModel: Inputs or outputs of the models do not correspond.
        InvalidData: There are no samples, or labels do not fit them.
    """
    renamed = match(a.inputs, b.inputs, "input")
    pairs = match(a.outputs, b.outputs, "output")
    differences = {name: Difference(name) for name in pairs}
    known = None if labels is None else np.asarray(labels, dtype=np.int64)
    samples = batch = 0
    with (progress or Silent()).task("compare", operator.length_hint(data) or None) as advance:
        for feeds in data:
            outputs_a = a.run(feeds)
            outputs_b = b.run({renamed[name]: array for name, array in feeds.items()})
            batch = batch_size(feeds)
            classes = None if known is None else known[samples : samples + batch]
            for name, other in pairs.items():
                differences[name].update(outputs_a[name], outputs_b[other], classes)
            samples += batch
            advance()
    if not samples:
        raise InvalidData("comparing needs samples; the data hold none")
    if known is not None and not 0 <= len(known) - samples < max(batch, 1):
        raise InvalidData(f"there are {len(known)} labels for {samples} samples")
    scores = next((difference for difference in differences.values() if difference.scores), None)
    if known is not None and scores is None:
        raise InvalidData(f"labels need an output with one score per class; the outputs are {', '.join(pairs)}")
    return Comparison(
        samples=samples,
        outputs=tuple(difference.result() for difference in differences.values()),
        accuracy_a=scores.right_a / samples if scores and known is not None else None,
        accuracy_b=scores.right_b / samples if scores and known is not None else None,
    )
