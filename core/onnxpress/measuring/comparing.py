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

    from onnxpress.kinds import Feeds, Port, Runner


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
    renamed, tally = match(a.inputs, b.inputs, "input"), Tally(a.outputs, b.outputs, labels=labels)
    with (progress or Silent()).task("compare", operator.length_hint(data) or None) as advance:
        for feeds in data:
            outputs_b = b.run({renamed[name]: array for name, array in feeds.items()})
            tally.update(a.run(feeds), outputs_b, batch_size(feeds))
            advance()
    return tally.result()


class Tally:
    """The difference between the outputs of models A and B, one batch after the other.

    Args:
        a: Outputs of the reference.
        b: Outputs of the other model.
        labels: Class of each sample.

    Raises:
        UnsupportedModel: The outputs do not correspond.
    """

    def __init__(
        self, a: Sequence[Port], b: Sequence[Port], *, labels: Sequence[int] | NDArray[np.int64] | None = None
    ) -> None:
        self._pairs = match(a, b, "output")
        self._differences = {name: Difference(name) for name in self._pairs}
        self._labels = None if labels is None else np.asarray(labels, dtype=np.int64)
        self._samples = self._batch = 0

    def update(self, outputs_a: Feeds, outputs_b: Feeds, samples: int) -> None:
        """Take what both gave for the next `samples` samples."""
        self._batch = samples
        classes = None if self._labels is None else self._labels[self._samples : self._samples + samples]
        for name, other in self._pairs.items():
            self._differences[name].update(outputs_a[name], outputs_b[other], classes)
        self._samples += samples

    def result(self) -> Comparison:
        """The measures of all that was seen.

        Raises:
            InvalidData: There were no samples, or labels do not fit them.
        """
        labels, samples = self._labels, self._samples
        if not samples:
            raise InvalidData("comparing needs samples; the data hold none")
        if labels is not None and not 0 <= len(labels) - samples < max(self._batch, 1):
            raise InvalidData(f"there are {len(labels)} labels for {samples} samples")
        scores = next((difference for difference in self._differences.values() if difference.scores), None)
        if labels is not None and scores is None:
            outputs = ", ".join(self._pairs)
            raise InvalidData(f"labels need an output with one score per class; the outputs are {outputs}")
        return Comparison(
            samples=samples,
            outputs=tuple(difference.result() for difference in self._differences.values()),
            accuracy_a=scores.right_a / samples if scores and labels is not None else None,
            accuracy_b=scores.right_b / samples if scores and labels is not None else None,
        )
