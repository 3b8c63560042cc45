"""The moments of many layers, in one pass over the data that shows all of them every sample, one at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from onnxpress.constants import constant
from onnxpress.decomposition.rewriting import layer_of
from onnxpress.errors import InvalidData
from onnxpress.naming import described
from onnxpress_plugins.decomposition.moments.output_moments import OutputMoments
from onnxpress_plugins.decomposition.moments.parted_moments import PartedMoments
from onnxpress_plugins.decomposition.moments.tap_means import TapMeans
from onnxpress_plugins.decomposition.moments.windows import Window, windows_of
from onnxpress_plugins.quantization.observing import observe

if TYPE_CHECKING:
    import onnx_ir as ir
    from numpy.typing import NDArray

    from onnxpress.kinds import Context

    Array = NDArray[np.floating[Any]]


_ONE = "of one sample errors are those of what the factors were made for; of others they are larger: give more samples"


@dataclass(frozen=True)
class Probe:
    """One question to the data: what a layer sees, for one choice of axes.

    Attributes:
        node: The layer; its first input and its output are looked at.
        first_axes: The axes of its kernel that the first convolution has.
    """

    node: ir.Node
    first_axes: tuple[int, ...]

    @property
    def has_bias(self) -> bool:
        """Whether the layer can make good what it loses on average; MatMul adds nothing."""
        return self.node.op_type != "MatMul"

    @property
    def inputs(self) -> int:
        """Input channels."""
        return layer_of(self.node).weight_shape[1]

    @property
    def windows(self) -> tuple[Window, ...]:
        """The axes of the kernel; none for a matrix, whose channels come last."""
        return windows_of(layer_of(self.node))


@dataclass(frozen=True, eq=False, kw_only=True)
class Moments:
    """The answer.

    Attributes:
        covariance: ``(n, n)``, n inputs times the first axes of the kernel, inputs varying slowest; about zero, not
            about the mean, where no bias makes good what is lost of the mean.
        unseen: The same, about the same mean, of samples that the other knows nothing of; None if there was but one.
        mean: What each tap sees on average, ``(inputs, *kernel)``; of a matrix ``(inputs,)``; None where no bias can
            make use of it.
        variance: Of the layer's output, summed over its channels; weighed, if they are.
        scales: Roots of the weights of the outputs, `output_moments` has the reason; None: all are alike.
        count: How many patches, or rows, the covariance is of.
    """

    covariance: Array
    unseen: Array | None
    mean: NDArray[np.float64] | None
    variance: float
    scales: NDArray[np.float64] | None
    count: int


def gather(model: ir.Model, probes: Sequence[Probe], context: Context) -> Iterator[Moments | None]:
    """The moments of every probe, in their order; None for what cannot be seen, as `is_visible` tells.

    The data have been passed over when this returns; covariances are made one by one, as they are asked for.

    Args:
        model: The model; it is not changed.
        probes: Of layers whose inputs are float.
        context: Where samples, progress and the number of threads come from.

    Raises:
        InvalidData: There are no data or no sample in them, or one does not fit the model, makes a tensor infinite,
            or is too large to be squared.
    """
    seen = [probe for probe in probes if is_visible(probe.node, model)]
    layers = {probe.node: _Layer(probe) for probe in seen}
    patches = [PartedMoments(probe.inputs, probe.windows or (Window(),), probe.first_axes) for probe in seen]
    if seen:
        _show(model, list(zip(seen, patches, strict=True)), layers, context)
    return (layers[probe.node].moments(patches.pop(0)) if probe.node in layers else None for probe in probes)


def is_visible(node: ir.Node, model: ir.Model) -> bool:
    """Whether what a layer sees can be gathered, and is all that counts.

    Values inside subgraphs cannot be had from a run.  A layer whose bias is computed has nothing that takes up what is
    lost on average, and a Gemm may transpose its input, or scale its output.
    """
    turned = node.attributes.get_int("transA", 0) or node.attributes.get_float("alpha", 1.0) != 1.0
    bias = node.inputs[2] if len(node.inputs) > 2 else None
    tensor = constant(bias)
    adds_row = bias is None or (tensor is not None and tensor.size in (1, *tensor.shape[-1:]))
    return node.graph is model.graph and not turned and adds_row


def _show(
    model: ir.Model,
    patches: Sequence[tuple[Probe, PartedMoments]],
    layers: Mapping[ir.Node, _Layer],
    context: Context,
) -> None:
    if context.data is None:
        raise InvalidData("what layers see cannot be measured without data; give samples with --data PATH")
    watchers: dict[ir.Value, _All] = defaultdict(_All)
    seen = [*((node, layer.means.add) for node, layer in layers.items()), *((own.node, it.add) for own, it in patches)]
    for node, add in seen:
        assert node.inputs[0] is not None
        watchers[node.inputs[0]].watchers.append(_of_rows(add) if layers[node].is_matrix else add)
    for node, layer in layers.items():
        watchers[node.outputs[0]].watchers.append(layer.outputs.add)
    runs = observe(model, watchers, context.data, limit=None, threads=context.threads, progress=context.progress)
    if not runs:
        raise InvalidData("what layers see cannot be measured: the data hold no sample")
    if runs == 1 and _ONE not in context.notes.warnings:
        context.notes.warn(_ONE)


class _All:
    """Shows one tensor to all that watch it."""

    def __init__(self) -> None:
        self.watchers: list[Callable[[Array], None]] = []

    def update(self, sample: NDArray[np.float32], low: float, high: float) -> None:
        for watcher in self.watchers:
            watcher(sample)


class _Layer:
    """What is the same for all choices of axes."""

    def __init__(self, probe: Probe) -> None:
        self._node, self.is_matrix, self._has_bias = probe.node, not probe.windows, probe.has_bias
        self.means = TapMeans(probe.inputs, probe.windows or (Window(),))
        self.outputs = OutputMoments(probe.node.outputs[0], -1 if self.is_matrix else 1)

    def moments(self, patches: PartedMoments) -> Moments:
        mean, centred = self.means.mean(), self._has_bias
        covariance, unseen = patches.seen.covariance(centred=centred), None
        if patches.unseen.count:
            unseen = patches.unseen.covariance(centred=centred, about=patches.seen.mean())
        if not all(np.isfinite(own).all() for own in (covariance, unseen) if own is not None):
            raise InvalidData(
                f"the squares of what {described(self._node)} sees are too large for float32; "
                "check the preprocessing of the data, or leave the layer out with exclude_nodes"
            )
        return Moments(
            covariance=covariance,
            unseen=unseen,
            mean=None if not centred else mean[:, 0] if self.is_matrix else mean,
            variance=self.outputs.variance,
            scales=self.outputs.scales,
            count=patches.seen.count,
        )


def _of_rows(add: Callable[[Array], None]) -> Callable[[Array], None]:
    """Shows the rows of a matrix as the places of one image, ``(1, inputs, rows)``."""
    return lambda sample: add(sample.reshape(-1, sample.shape[-1]).T[None])
